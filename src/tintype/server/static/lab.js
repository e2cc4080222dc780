// CIE Lab (D65) and sRGB, as in color.py.

/** Linear light of sRGB codes 0 to 255. */
export const LINEAR = Float32Array.from({ length: 256 }, (_, code) => {
  const v = code / 255;
  return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
});

const root = (v) => (v > 216 / 24389 ? Math.cbrt(v) : ((24389 / 27) * v + 16) / 116);
const cube = (v) => (v > 6 / 29 ? v ** 3 : (108 / 841) * (v - 4 / 29));
const encoded = (v) => (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055);

/** [L, a, b] of sRGB codes. */
export function labOf(red, green, blue) {
  const [r, g, b] = [LINEAR[red], LINEAR[green], LINEAR[blue]];
  const x = root((0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047);
  const y = root(0.2126729 * r + 0.7151522 * g + 0.072175 * b);
  const z = root((0.0193339 * r + 0.119192 * g + 0.9503041 * b) / 1.08883);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

/** sRGB codes of Lab; null for a colour that sRGB cannot show. */
export function rgbOf(L, a, b) {
  const y = (L + 16) / 116;
  const [X, Y, Z] = [0.95047 * cube(y + a / 500), cube(y), 1.08883 * cube(y - b / 200)];
  const rgb = [
    3.2404542 * X - 1.5371385 * Y - 0.4985314 * Z,
    -0.969266 * X + 1.8760108 * Y + 0.041556 * Z,
    0.0556434 * X - 0.2040259 * Y + 1.0572252 * Z,
  ];
  if (rgb.some((v) => v < -0.002 || v > 1.002)) return null;
  return rgb.map((v) => Math.round(255 * encoded(Math.min(1, Math.max(0, v)))));
}

/** The nearest ab of the same hue that sRGB can show at this L. */
export function inside(L, a, b) {
  if (rgbOf(L, a, b)) return [a, b];
  let [low, high] = [0, 1];
  for (let i = 0; i < 12; i++) {
    const middle = (low + high) / 2;
    if (rgbOf(L, a * middle, b * middle)) low = middle;
    else high = middle;
  }
  return [a * low, b * low];
}

/** "#rrggbb" of Lab, brought into what sRGB can show. */
export function hexOf(L, a, b) {
  const rgb = rgbOf(L, ...inside(L, a, b)) ?? [128, 128, 128];
  return `#${rgb.map((code) => code.toString(16).padStart(2, "0")).join("")}`;
}
