// What hands do on the picture: move the seam, zoom, move, tap.

import { colour, failed, remember } from "./colouring.js";
import { Hints } from "./hints.js";
import { $, now } from "./state.js";

const fingers = new Map();

function seamTo(clientX) {
  now.viewer.seam = Math.min(1, Math.max(0, now.viewer.locate(clientX, 0)[0]));
  now.viewer.draw();
}

export function handle() {
  const [view, seam] = [$("view"), $("seam")];
  now.hints = new Hints(now.viewer, (item) => {
    remember(item);
    colour(item).catch((error) => failed(item, error));
  });
  now.viewer.onDraw = () => {
    now.hints.draw();
    seam.style.left = `${now.viewer.seamX()}px`;
    seam.setAttribute("aria-valuenow", String(Math.round(100 * now.viewer.seam)));
  };
  seam.addEventListener("pointerdown", (event) => {
    now.dragging = event.pointerId;
    seam.setPointerCapture(event.pointerId);
  });
  seam.addEventListener("pointermove", (event) => now.dragging === event.pointerId && seamTo(event.clientX));
  for (const end of ["pointerup", "pointercancel"]) seam.addEventListener(end, () => (now.dragging = null));
  seam.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -0.02, ArrowRight: 0.02, PageDown: -0.2, PageUp: 0.2, Home: -1, End: 1 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    now.viewer.seam = Math.min(1, Math.max(0, now.viewer.seam + steps[event.key]));
    now.viewer.draw();
  });
  view.addEventListener("wheel", (event) => {
    event.preventDefault();
    now.viewer.zoomAt(Math.exp(-event.deltaY / 400), event.clientX, event.clientY);
  }, { passive: false });
  view.addEventListener("pointerdown", (event) => {
    view.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
  });
  view.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before || !now.viewer.size) return;
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const [was, is] = [before, [event.clientX, event.clientY]].map((p) => Math.hypot(p[0] - other[0], p[1] - other[1]));
      now.viewer.zoomAt(is / Math.max(was, 1), other[0], other[1]);
    } else {
      const [w, h] = [view.clientWidth, view.clientHeight];
      now.viewer.moveBy((2 * (event.clientX - before[0])) / w, (-2 * (event.clientY - before[1])) / h);
    }
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
  });
  let pressed = [0, 0];
  view.addEventListener("pointerdown", (event) => (pressed = [event.clientX, event.clientY]));
  view.addEventListener("pointerup", (event) => {
    const still = Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]) < 5;
    if (now.hinting && still && fingers.size === 1) now.hints.add(...now.viewer.locate(event.clientX, event.clientY));
  });
  for (const end of ["pointerup", "pointercancel"])
    view.addEventListener(end, (event) => fingers.delete(event.pointerId));
  view.addEventListener("dblclick", (event) => {
    if (now.hinting) return;
    if (now.viewer.zoom > 1) now.viewer.fit(), now.viewer.draw();
    else now.viewer.zoomAt(4, event.clientX, event.clientY);
  });
  view.addEventListener("keydown", (event) => {
    const box = view.getBoundingClientRect();
    const middle = [box.left + box.width / 2, box.top + box.height / 2];
    const moves = { ArrowLeft: [0.1, 0], ArrowRight: [-0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] };
    if (event.key === "+" || event.key === "=") now.viewer.zoomAt(1.25, ...middle);
    else if (event.key === "-") now.viewer.zoomAt(0.8, ...middle);
    else if (event.key === "0") now.viewer.fit(), now.viewer.draw();
    else if (event.key in moves) now.viewer.moveBy(...moves[event.key]);
    else return;
    event.preventDefault();
  });
}
