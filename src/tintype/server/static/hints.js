// Colours that the visitor gives at spots of the picture: placed, moved, chosen from what is plausible.
//
// A hint is {x, y, L, a, b}: parts of the picture's width and height, the lightness there, and ab.

import { hexOf, inside, rgbOf } from "./lab.js";
import { t } from "./strings.js";

const RADIUS = 0.02; // of the side of a square with the picture's area
const REACH = 100; // ab at the edge of the disc
const DISC = 200; // pixels

const $ = (id) => document.getElementById(id);

/** Hints as the API takes them, for a picture of this size in pixels. */
export function written(hints, width, height) {
  const radius = (RADIUS * Math.sqrt(width * height)).toFixed(1);
  const place = (part, length) => Math.min(length - 1, Math.max(0, part * length - 0.5)).toFixed(1);
  return hints.map((h) => `${place(h.x, width)},${place(h.y, height)},${hexOf(h.L, h.a, h.b)},${radius}`);
}

/** A hint in the nearest colour of its hue that there is at its lightness. */
function within(hint) {
  const [a, b] = inside(hint.L, hint.a, hint.b);
  return { ...hint, a, b };
}

export class Hints {
  /**
   * @param {Viewer} viewer shows the picture.
   * @param {Function} changed is called when the colours are to be made anew.
   */
  constructor(viewer, changed) {
    this.viewer = viewer;
    this.changed = changed;
    this.item = null;
    this.open = null;
    this.disc();
    $("hint-undo").addEventListener("click", () => this.step("undone", "done"));
    $("hint-redo").addEventListener("click", () => this.step("done", "undone"));
    $("hint-clear").addEventListener("click", () => this.set([]));
    $("hint-remove").addEventListener("click", () => this.remove(this.open));
    $("hint-close").addEventListener("click", () => this.close());
    addEventListener("keydown", (event) => {
      if (!this.item || !(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z") return;
      event.preventDefault();
      if (event.shiftKey) this.step("done", "undone");
      else this.step("undone", "done");
    });
  }

  /** Work on a picture's hints; null: on none. */
  show(item) {
    this.close();
    this.item = item;
    if (item) item.hints ??= [];
    this.past ??= new WeakMap();
    $("hint-tools").hidden = !item;
    this.draw();
  }

  /** What was before and what was taken back, of the picture. */
  get memory() {
    if (!this.past.has(this.item)) this.past.set(this.item, { done: [], undone: [] });
    return this.past.get(this.item);
  }

  /** New hints instead of the old, which can be had back. */
  set(hints) {
    this.memory.done.push(this.item.hints);
    this.memory.undone = [];
    this.put(hints);
  }

  put(hints) {
    this.item.hints = hints;
    if (this.open !== null && this.open >= hints.length) this.close();
    this.draw();
    this.changed(this.item);
  }

  /** One step back or forth: `to` gets what is now, `from` gives what comes. */
  step(to, from) {
    const { memory } = this;
    if (!memory[from].length) return;
    memory[to].push(this.item.hints);
    this.put(memory[from].pop());
  }

  /** A hint where the picture was touched, with the network's own guess to begin with. */
  add(x, y) {
    if (!this.item || x < 0 || y < 0 || x >= 1 || y >= 1) return;
    const [a, b] = this.guess(this.item.answer, x, y);
    this.set([...this.item.hints, { x, y, L: this.lightness(x, y), a, b }]);
    this.choose(this.item.hints.length - 1);
  }

  /** L of the picture at a place; a hint has some room for colours. */
  lightness(x, y) {
    const { L, width, height } = this.item;
    return Math.min(96, Math.max(4, L[Math.floor(y * height) * width + Math.floor(x * width)] / 2.55));
  }

  guess(answer, x, y) {
    const column = Math.min(answer.width - 1, Math.floor(x * answer.covered[0]));
    const row = Math.min(answer.height - 1, Math.floor(y * answer.covered[1]));
    const at = 2 * (row * answer.width + column);
    return [answer.ab[at], answer.ab[at + 1]];
  }

  remove(number) {
    if (number === null) return;
    this.close();
    this.set(this.item.hints.filter((_, at) => at !== number));
  }

  /** Draw the spots where the picture is now. */
  draw() {
    const spots = $("spots");
    const hints = this.item?.hints ?? [];
    while (spots.children.length > hints.length) spots.lastChild.remove();
    while (spots.children.length < hints.length) spots.append(this.spot(spots.children.length));
    hints.forEach((hint, at) => {
      const spot = spots.children[at];
      const [left, top] = this.viewer.windowOf(hint.x, hint.y);
      spot.style.left = `${left}px`;
      spot.style.top = `${top}px`;
      spot.style.background = hexOf(hint.L, hint.a, hint.b);
      spot.setAttribute("aria-label", t("hint", at + 1, hexOf(hint.L, hint.a, hint.b)));
      spot.setAttribute("aria-expanded", String(at === this.open));
    });
    if (!this.item) return;
    $("hint-undo").disabled = !this.memory.done.length;
    $("hint-redo").disabled = !this.memory.undone.length;
    $("hint-clear").disabled = !hints.length;
  }

  spot(number) {
    const spot = Object.assign(document.createElement("button"), { type: "button", className: "spot" });
    let moved = false;
    spot.addEventListener("pointerdown", (event) => {
      spot.setPointerCapture(event.pointerId);
      moved = false;
    });
    spot.addEventListener("pointermove", (event) => {
      if (!spot.hasPointerCapture(event.pointerId)) return;
      const [x, y] = this.viewer.locate(event.clientX, event.clientY).map((v) => Math.min(0.999, Math.max(0, v)));
      const hint = this.item.hints[number];
      if (!moved && Math.hypot(event.movementX, event.movementY) < 1) return;
      if (!moved) this.memory.done.push(this.item.hints), (this.memory.undone = []);
      moved = true;
      const L = this.lightness(x, y);
      this.item.hints = this.item.hints.map((each) => (each === hint ? { ...hint, x, y, L } : each));
      this.draw();
    });
    spot.addEventListener("pointerup", () => {
      if (moved) this.put(this.item.hints.map((hint, at) => (at === number ? within(hint) : hint)));
      setTimeout(() => (moved = false)); // after the click that ends a drag; keys click, too
    });
    spot.addEventListener("click", () => !moved && this.choose(number));
    spot.addEventListener("keydown", (event) => {
      if (event.key === "Delete" || event.key === "Backspace") this.remove(number);
    });
    return spot;
  }

  /** Open the disc of colours for a hint. */
  choose(number) {
    this.open = number;
    const hint = this.item.hints[number];
    this.own = this.guess(this.item.answer, hint.x, hint.y);
    this.paint(hint);
    $("picker").hidden = false;
    this.draw();
    $("disc").focus({ preventScroll: true });
  }

  close() {
    this.open = null;
    $("picker").hidden = true;
    if (this.item) this.draw();
  }

  /** The colours that sRGB has at this lightness, by a across and b up. */
  paint(hint) {
    const context = $("disc").getContext("2d");
    const image = context.createImageData(DISC, DISC);
    for (let y = 0; y < DISC; y++)
      for (let x = 0; x < DISC; x++) {
        const [a, b] = [((x + 0.5) / DISC) * 2 - 1, 1 - ((y + 0.5) / DISC) * 2].map((v) => v * REACH);
        const rgb = rgbOf(hint.L, a, b);
        if (rgb) image.data.set([...rgb, 255], 4 * (y * DISC + x));
      }
    context.putImageData(image, 0, 0);
    this.mark(context, this.own, true);
    this.mark(context, [hint.a, hint.b], false);
    $("disc").setAttribute("aria-valuetext", hexOf(hint.L, hint.a, hint.b));
  }

  /** A ring for the network's guess, a disc for what is chosen. */
  mark(context, [a, b], ring) {
    const [x, y] = [(a / REACH + 1) * 0.5 * DISC, (1 - b / REACH) * 0.5 * DISC];
    for (const [style, width] of [["#000", 4], ["#fff", 2]]) {
      context.strokeStyle = style;
      context.lineWidth = width;
      context.setLineDash(ring ? [3, 3] : []);
      context.beginPath();
      context.arc(x, y, ring ? 9 : 6, 0, 7);
      context.stroke();
    }
  }

  /** The disc answers pointer and arrow keys. */
  disc() {
    const disc = $("disc");
    [disc.width, disc.height] = [DISC, DISC];
    let before = null;
    const to = (a, b) => {
      const hint = this.item.hints[this.open];
      const next = within({ ...hint, a, b });
      this.item.hints = this.item.hints.map((each) => (each === hint ? next : each));
      this.paint(next);
      this.draw();
      this.changed(this.item);
    };
    const at = (event) => {
      const box = disc.getBoundingClientRect();
      const [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
      to((x * 2 - 1) * REACH, (1 - y * 2) * REACH);
    };
    const begin = () => (before ??= this.item.hints);
    const end = () => {
      if (before) this.memory.done.push(before), (this.memory.undone = []);
      before = null;
      this.draw();
    };
    disc.addEventListener("pointerdown", (event) => {
      disc.setPointerCapture(event.pointerId);
      begin();
      at(event);
    });
    disc.addEventListener("pointermove", (event) => disc.hasPointerCapture(event.pointerId) && at(event));
    disc.addEventListener("pointerup", end);
    disc.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: [-4, 0], ArrowRight: [4, 0], ArrowUp: [0, 4], ArrowDown: [0, -4] };
      if (event.key === "Escape") return this.close();
      if (!(event.key in steps)) return;
      event.preventDefault();
      begin();
      const hint = this.item.hints[this.open];
      to(hint.a + steps[event.key][0], hint.b + steps[event.key][1]);
    });
    disc.addEventListener("keyup", end);
  }
}
