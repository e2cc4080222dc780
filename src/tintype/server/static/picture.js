// What the page makes of a file itself: a preview to show, and the network's view of it.

import { labOf } from "./lab.js";

const PREVIEW = 2048; // longest side shown; the original is used when it is saved
const VIEW = 256; // the network's view has the area of a square of this side
const LONGEST = 4; // of such sides: panoramas are seen smaller, as in engine/view.py
const COLOURED = 0.1; // of the view's pixels have colours: then the picture is said to be in colour

/** Decode a file; throws when the browser cannot. */
export async function opened(file) {
  const whole = await createImageBitmap(file, { imageOrientation: "from-image" });
  const factor = Math.min(1, PREVIEW / Math.max(whole.width, whole.height));
  const preview = factor < 1 ? await reduced(whole, factor) : whole;
  return { preview, size: [whole.width, whole.height], ...view(preview) };
}

async function reduced(bitmap, factor) {
  const options = {
    resizeWidth: Math.max(1, Math.round(bitmap.width * factor)),
    resizeHeight: Math.max(1, Math.round(bitmap.height * factor)),
    resizeQuality: "high",
  };
  const small = await createImageBitmap(bitmap, options);
  bitmap.close();
  return small;
}

/** The network's view: L as bytes, and whether the picture has colours already. */
export function view(bitmap) {
  const side = Math.sqrt(bitmap.width * bitmap.height);
  const factor = Math.min(VIEW / side, (LONGEST * VIEW) / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [bitmap.width, bitmap.height].map((n) => Math.max(1, Math.round(n * factor)));
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  const L = new Uint8Array(width * height);
  let coloured = 0;
  const hues = [0, 0];
  for (let i = 0; i < L.length; i++) {
    const [r, g, b] = [data[4 * i], data[4 * i + 1], data[4 * i + 2]];
    L[i] = Math.round(labOf(r, g, b)[0] * 2.55);
    const [u, v] = [r - g, (r + g) / 2 - b];
    hues[0] += u;
    hues[1] += v;
    data[4 * i] = u + 128;
    data[4 * i + 1] = v + 128;
  }
  // A tone over the whole picture, as of sepia, is no colour; what differs from it is.
  const mean = hues.map((sum) => sum / L.length);
  for (let i = 0; i < L.length; i++)
    if (Math.hypot(data[4 * i] - 128 - mean[0], data[4 * i + 1] - 128 - mean[1]) > 24) coloured++;
  return { L, width, height, coloured: coloured / L.length > COLOURED };
}

/** A picture to try: drawn here, so that nobody's rights are touched. */
export async function sample() {
  const canvas = new OffscreenCanvas(1200, 800);
  const c = canvas.getContext("2d");
  const sky = c.createLinearGradient(0, 0, 0, 480);
  sky.addColorStop(0, "#9a9a9a");
  sky.addColorStop(1, "#e4e4e4");
  c.fillStyle = sky;
  c.fillRect(0, 0, 1200, 480);
  c.fillStyle = "#7c7c7c";
  c.beginPath();
  c.moveTo(0, 470);
  for (let x = 0; x <= 1200; x += 20) c.lineTo(x, 400 - 70 * Math.sin(x / 190) - 30 * Math.sin(x / 61));
  c.lineTo(1200, 800);
  c.lineTo(0, 800);
  c.fill();
  c.fillStyle = "#6a6a6a";
  c.fillRect(0, 520, 1200, 280);
  for (let i = 0; i < 9000; i++) {
    const y = 520 + 280 * Math.random() ** 0.7;
    c.strokeStyle = `rgba(${[60, 60, 60].map((n) => n + 90 * Math.random()).join()},0.5)`;
    c.beginPath();
    const x = 1200 * Math.random();
    c.moveTo(x, y);
    c.lineTo(x + 6 * Math.random() - 3, y - 6 - (y - 500) / 12);
    c.stroke();
  }
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
}

/** The ab of a coloured picture on a grid, as api.predict answers it. */
export function chromaOf(bitmap, width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  const ab = new Float32Array(2 * width * height);
  for (let i = 0; i < width * height; i++)
    ab.set(labOf(data[4 * i], data[4 * i + 1], data[4 * i + 2]).slice(1), 2 * i);
  return ab;
}
