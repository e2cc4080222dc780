// The strip of variants: the likely colouring, and others that differ where the network is unsure.

import * as api from "./api.js";
import { written } from "./hints.js";
import { inside, labOf, rgbOf } from "./lab.js";
import { $, items, now, setting } from "./state.js";
import { t } from "./strings.js";

const COUNT = 6; // with the likely one
const BOX = [104, 78]; // pixels that a small picture may have
const FINEST = 1.5; // pixels of the screen to one of the page; more would take long and show little
const REST_MS = [250, 1000]; // before others are asked for: a hand may go on moving; the seam sweeps first
const UNFINISHED = ["new", "opening", "colouring"];

const known = new Map(); // by network, whether it has variants: "yes" or "no"
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Whether the picture's network has variants; while that is not known, what it was last time. */
const leans = (item) => (known.get(item.model) ?? setting(`variants ${item.model}`)) !== "no";

/** The variant that is chosen for a picture, as far as its network has any. */
export const chosen = (item) => (leans(item) ? item.variant : 0);

/** The network's answer for a variant; asked for once, until hints or network change. */
export async function answerOf(item, variant, signal) {
  const given = written(item.hints ?? [], item.width, item.height);
  const key = JSON.stringify([item.model, given]);
  if (item.answers?.key !== key) item.answers = { key, of: [] };
  const { of } = item.answers;
  if (of[variant]) return of[variant];
  const view = { L: item.L, width: item.width, height: item.height };
  try {
    of[variant] = await api.predict(view, item.model, given, variant, signal);
  } catch (error) {
    if (!variant || error.status !== 422) throw error;
    const likely = await answerOf(item, 0, signal); // another network may have come since
    if (likely.variants) throw error;
    return likely;
  }
  known.set(item.model, setting(`variants ${item.model}`, of[variant].variants ? "yes" : "no"));
  return of[variant];
}

/** Make the radio group. */
export function buildVariants() {
  $("variants").append(...Array.from({ length: COUNT }, (_, variant) => tile(variant)));
}

function tile(variant) {
  const button = Object.assign(document.createElement("input"), { type: "radio", name: "variant", value: variant });
  button.className = "hidden";
  const name = Object.assign(document.createElement("span"), { className: "name" });
  const label = Object.assign(document.createElement("label"), { className: "tile" });
  label.append(button, document.createElement("canvas"), name);
  return label;
}

/** Say what the radio buttons are, in the page's language. */
export function nameVariants() {
  [...$("variants").querySelectorAll(".tile")].forEach((label, variant) => {
    label.lastChild.textContent = variant || t("likely");
    label.firstChild.setAttribute("aria-label", variant ? t("variant", variant) : t("likely"));
  });
}

let drawing = null;

/** Show the strip where the network has variants, and let it be drawn when there is time. */
export function offerVariants(item) {
  const there = Boolean(now.viewer && item?.preview && leans(item));
  drawing?.abort();
  $("variants").hidden = !there;
  if (!there) return;
  const swept = Boolean(item.tiles?.swept);
  item.tiles ??= greyTiles(item.preview);
  [...$("variants").querySelectorAll(".tile")].forEach((label, variant) => {
    label.firstChild.checked = variant === item.variant;
    if (label.children[1] !== item.tiles.of[variant]) label.children[1].replaceWith(item.tiles.of[variant]);
  });
  if (item.state !== "done") return;
  drawing = new AbortController();
  draw(item, REST_MS[swept ? 0 : 1], drawing.signal).catch(() => {}); // choosing one says what is wrong
}

function greyTiles(preview) {
  const factor = Math.min(BOX[0] / preview.width, BOX[1] / preview.height);
  const ratio = Math.min(FINEST, window.devicePixelRatio || 1);
  const [wide, high] = [preview.width, preview.height].map((n) => Math.max(24, Math.round(n * factor)));
  const of = Array.from({ length: COUNT }, () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [Math.round(wide * ratio), Math.round(high * ratio)];
    canvas.style.aspectRatio = `${wide} / ${high}`;
    return canvas;
  });
  for (const canvas of of) {
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.imageSmoothingQuality = "high";
    context.filter = "grayscale(1)";
    context.drawImage(preview, 0, 0, canvas.width, canvas.height);
  }
  return { of, swept: false };
}

/** Draw one after the other, after a rest and when no picture waits for its first colours. */
async function draw(item, rest, signal) {
  await pause(rest);
  for (let variant = 0; variant < COUNT; variant++) {
    while (!signal.aborted && !item.answers.of[variant] && items.some(waits)) await pause(250);
    if (signal.aborted) return;
    const answer = await answerOf(item, variant, signal);
    if (signal.aborted) return;
    item.tiles.swept = true;
    paint(item, item.tiles.of[variant], answer);
    await pause(0);
  }
}

const waits = (item) => item.kind === "picture" && UNFINISHED.includes(item.state);

/** Join L and the answer's ab in a small picture, as the viewer's shader does in the large one. */
function paint(item, canvas, answer) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const { width, height } = canvas;
  context.drawImage(item.preview, 0, 0, width, height);
  const image = context.getImageData(0, 0, width, height);
  const { data } = image;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const at = 4 * (y * width + x);
      const [L] = labOf(data[at], data[at + 1], data[at + 2]);
      const [a, b] = chromaAt(answer, (x + 0.5) / width, (y + 0.5) / height).map((v) => v * item.strength);
      const rgb = rgbOf(L, a, b) ?? rgbOf(L, ...inside(L, a, b));
      if (rgb) data.set(rgb, at);
    }
  context.putImageData(image, 0, 0);
}

/** ab at parts of the picture's width and height, between the four nearest cells. */
function chromaAt({ ab, width, height, covered }, across, down) {
  const [x, y] = [across * covered[0] - 0.5, down * covered[1] - 0.5];
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const sum = [0, 0];
  for (const [column, row, share] of [
    [left, top, (1 - x + left) * (1 - y + top)],
    [left + 1, top, (x - left) * (1 - y + top)],
    [left, top + 1, (1 - x + left) * (y - top)],
    [left + 1, top + 1, (x - left) * (y - top)],
  ]) {
    const at = 2 * (Math.min(height - 1, Math.max(0, row)) * width + Math.min(width - 1, Math.max(0, column)));
    sum[0] += share * ab[at];
    sum[1] += share * ab[at + 1];
  }
  return sum;
}
