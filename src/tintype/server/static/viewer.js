// Shows a picture grey and coloured, with a seam between them; L and ab are joined in a shader.
//
// ab comes at the network's coarse grid and is read by cubic convolution (Keys 1981, a = -1/2), as in
// engine/chroma.py. A colour outside sRGB loses chroma at constant L, as in engine/join.py.

const VERTEX = `#version 300 es
in vec2 corner;
uniform vec2 scale, offset;
out vec2 at;
void main() {
  at = vec2(corner.x, 1.0 - corner.y);
  gl_Position = vec4((corner * 2.0 - 1.0) * scale + offset, 0.0, 1.0);
}`;

const FRAGMENT = `#version 300 es
precision highp float;
in vec2 at;
out vec4 shown;
uniform sampler2D grey, chroma, sure;
uniform vec2 grid, covered;
uniform float strength, seam, doubt;
uniform bool ready;

float linear(float v) { return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4); }
float encoded(float v) { return v <= 0.0031308 ? 12.92 * v : 1.055 * pow(v, 1.0 / 2.4) - 0.055; }
float cube(float v) { return v > 6.0 / 29.0 ? v * v * v : 3.0 * 36.0 / 841.0 * (v - 4.0 / 29.0); }

vec4 weights(float t) {
  vec4 x = vec4(1.0 + t, t, 1.0 - t, 2.0 - t);
  vec4 near = (1.5 * x - 2.5) * x * x + 1.0;
  vec4 far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0;
  return vec4(far.x, near.y, near.z, far.w);
}

vec2 cubic(vec2 place) {
  vec2 cell = place * covered - 0.5;
  ivec2 first = ivec2(floor(cell));
  vec4 across = weights(fract(cell.x)), down = weights(fract(cell.y));
  vec2 sum = vec2(0.0);
  for (int row = 0; row < 4; row++)
    for (int column = 0; column < 4; column++) {
      ivec2 tap = clamp(first + ivec2(column, row) - 1, ivec2(0), ivec2(grid) - 1);
      sum += texelFetch(chroma, tap, 0).rg * (across[column] * down[row]);
    }
  return sum;
}

vec3 joined(float fy, vec2 ab) {
  float X = 0.95047 * cube(fy + ab.x / 500.0), Y = cube(fy), Z = 1.08883 * cube(fy - ab.y / 200.0);
  return vec3(3.2404542 * X - 1.5371385 * Y - 0.4985314 * Z,
              -0.9692660 * X + 1.8760108 * Y + 0.0415560 * Z,
              0.0556434 * X - 0.2040259 * Y + 1.0572252 * Z);
}

bool outside(vec3 rgb) {
  return any(lessThan(rgb, vec3(-1e-4))) || any(greaterThan(rgb, vec3(1.0001)));
}

void main() {
  vec3 pixel = texture(grey, at).rgb;
  float Y = dot(vec3(linear(pixel.r), linear(pixel.g), linear(pixel.b)),
                vec3(0.2126729, 0.7151522, 0.0721750));
  float level = encoded(Y);
  vec3 plain = vec3(level);
  if (!ready || at.x < seam) { shown = vec4(plain, 1.0); return; }
  float fy = Y > 216.0 / 24389.0 ? pow(Y, 1.0 / 3.0) : (24389.0 / 27.0 * Y + 16.0) / 116.0;
  vec2 ab = cubic(at) * strength;
  vec3 rgb = joined(fy, ab);
  if (outside(rgb)) {
    float low = 0.0, high = 1.0;
    for (int i = 0; i < 7; i++) {
      float middle = 0.5 * (low + high);
      if (outside(joined(fy, ab * middle))) high = middle; else low = middle;
    }
    rgb = joined(fy, ab * low);
  }
  rgb = clamp(rgb, 0.0, 1.0);
  vec3 colour = vec3(encoded(rgb.r), encoded(rgb.g), encoded(rgb.b));
  if (doubt == 0.0) { shown = vec4(colour, 1.0); return; }
  float unsure = 1.0 - texture(sure, at * covered / grid).r;
  float stripe = step(0.5, fract((gl_FragCoord.x + gl_FragCoord.y) / 12.0));
  float veil = doubt * smoothstep(0.35, 0.8, unsure) * mix(0.35, 0.75, stripe);
  shown = vec4(mix(colour, vec3(0.62, 0.86, 0.96), veil), 1.0);
}`;

const LARGEST_ZOOM = 16;

export class Viewer {
  /** @param {HTMLCanvasElement} canvas where it draws; throws where there is no WebGL 2. */
  constructor(canvas) {
    this.canvas = canvas;
    const gl = canvas.getContext("webgl2", { alpha: true, antialias: false, preserveDrawingBuffer: true });
    if (!gl) throw new Error("WebGL 2 is missing");
    this.gl = gl;
    this.seam = 0.5;
    this.strength = 1;
    this.doubt = 0;
    this.size = null;
    this.grid = null;
    this.fit();
    this.build();
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => {
      this.build();
      if (this.bitmap) this.show(this.bitmap, this.answer, true);
    });
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  /** Compile the shaders and make the textures. */
  build() {
    const gl = this.gl;
    const program = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
    gl.useProgram(program);
    this.place = (name) => gl.getUniformLocation(program, name);
    const corners = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, corners);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([0, 0, 1, 0, 0, 1, 1, 1]), gl.STATIC_DRAW);
    const corner = gl.getAttribLocation(program, "corner");
    gl.enableVertexAttribArray(corner);
    gl.vertexAttribPointer(corner, 2, gl.FLOAT, false, 0, 0);
    this.textures = ["grey", "chroma", "sure"].map((name, unit) => {
      const texture = gl.createTexture();
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(gl.TEXTURE_2D, texture);
      for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T])
        gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE);
      const filter = name === "chroma" ? gl.NEAREST : gl.LINEAR;
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, filter);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, filter);
      gl.uniform1i(this.place(name), unit);
      return texture;
    });
    this.fill(2, gl.R8, 1, 1, gl.RED, gl.UNSIGNED_BYTE, new Uint8Array([255]));
  }

  fill(unit, kind, width, height, format, type, data) {
    const gl = this.gl;
    gl.activeTexture(gl.TEXTURE0 + unit);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.texImage2D(gl.TEXTURE_2D, 0, kind, width, height, 0, format, type, data);
  }

  /** Show a picture; `answer` as of api.predict, null while its colours are not known. */
  show(bitmap, answer, again = false) {
    const gl = this.gl;
    if (bitmap !== this.bitmap || again) {
      this.bitmap = bitmap;
      this.size = [bitmap.width, bitmap.height];
      gl.activeTexture(gl.TEXTURE0);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
      if (!again) this.fit();
    }
    this.colour(answer);
  }

  /** Give the picture its colours. */
  colour(answer) {
    const gl = this.gl;
    this.answer = answer;
    if (answer) {
      const { width, height, ab, sure } = answer;
      this.grid = [width, height];
      this.fill(1, gl.RG32F, width, height, gl.RG, gl.FLOAT, ab);
      if (sure) this.fill(2, gl.R8, width, height, gl.RED, gl.UNSIGNED_BYTE, sure);
      else this.fill(2, gl.R8, 1, 1, gl.RED, gl.UNSIGNED_BYTE, new Uint8Array([255]));
    }
    this.draw();
  }

  /** The whole picture, in the middle. */
  fit() {
    this.zoom = 1;
    this.pan = [0, 0];
  }

  /** Half of what the picture covers of the canvas, as parts of the canvas. */
  extent() {
    const { clientWidth: w, clientHeight: h } = this.canvas;
    const fit = Math.min(w / this.size[0], h / this.size[1]) * this.zoom;
    return [(this.size[0] * fit) / w, (this.size[1] * fit) / h];
  }

  /** Where a point of the window lies in the picture: parts of its width and height. */
  locate(x, y) {
    const box = this.canvas.getBoundingClientRect();
    const [wide, high] = this.extent();
    const right = ((x - box.left) / box.width) * 2 - 1 - this.pan[0];
    const up = 1 - ((y - box.top) / box.height) * 2 - this.pan[1];
    return [(right / wide + 1) / 2, (1 - up / high) / 2];
  }

  /** Where a point of the picture lies on the canvas, in pixels from its upper left corner. */
  windowOf(x, y) {
    const [wide, high] = this.extent();
    const { clientWidth: w, clientHeight: h } = this.canvas;
    return [(((x * 2 - 1) * wide + this.pan[0] + 1) / 2) * w, ((1 - ((1 - y * 2) * high + this.pan[1])) / 2) * h];
  }

  /** Where the seam is in the window, in pixels from the left of the canvas. */
  seamX() {
    return this.windowOf(this.seam, 0)[0];
  }

  /** Enlarge by a factor round a point of the window. */
  zoomAt(factor, x, y) {
    if (!this.size) return;
    const before = this.locate(x, y);
    this.zoom = Math.min(LARGEST_ZOOM, Math.max(1, this.zoom * factor));
    const after = this.locate(x, y);
    const [wide, high] = this.extent();
    this.moveBy((after[0] - before[0]) * 2 * wide, -(after[1] - before[1]) * 2 * high);
  }

  /** Move the picture, in halves of the canvas; its edges stay at the window's. */
  moveBy(right, up) {
    const room = this.extent().map((part) => Math.max(0, part - 1));
    this.pan = [this.pan[0] + right, this.pan[1] + up].map((value, axis) =>
      Math.min(room[axis], Math.max(-room[axis], value)),
    );
    this.draw();
  }

  /** Draw what there is; cheap enough for every movement of a finger. */
  draw() {
    const { gl, canvas } = this;
    const ratio = window.devicePixelRatio || 1;
    const [w, h] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    gl.viewport(0, 0, w, h);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (!this.size || !w || !h) return;
    gl.uniform2fv(this.place("scale"), this.extent());
    gl.uniform2fv(this.place("offset"), this.pan);
    gl.uniform1f(this.place("strength"), this.strength);
    gl.uniform1f(this.place("seam"), this.seam);
    gl.uniform1f(this.place("doubt"), this.doubt);
    gl.uniform1i(this.place("ready"), this.answer ? 1 : 0);
    if (this.answer) {
      gl.uniform2fv(this.place("grid"), this.grid);
      gl.uniform2fv(this.place("covered"), this.answer.covered);
    }
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    this.onDraw?.();
  }
}
