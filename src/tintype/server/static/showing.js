// What is on the screen: the picture or film that was chosen, and the strip of all of them.

import { $, busy, items, now } from "./state.js";
import { forget } from "./store.js";
import { showStrength } from "./strength.js";
import { t } from "./strings.js";
import { offerVariants } from "./variants.js";

export function select(item) {
  now.current = item;
  $("welcome").hidden = Boolean(item);
  if (!item) now.hints?.show(null), offerVariants(null);
  $("tools").hidden = !item;
  if (item) show(item);
  drawStrip();
}

export function show(item) {
  const isFilm = item.kind === "film";
  $("view").hidden = $("seam").hidden = isFilm || !item.preview;
  $("film").hidden = true;
  $("film").removeAttribute("src");
  showStrength(item);
  $("model").value = item.model;
  $("reference").setAttribute("aria-pressed", String(Boolean(item.reference)));
  for (const id of ["doubt", "reference"]) $(id).hidden = isFilm;
  offerAgain(item);
  offerHints(item);
  offerVariants(item);
  busy(item.state === "done" || item.state === "failed" ? "" : item.told || t(item.state));
  if (isFilm) {
    const links = item.job?.links;
    if (links?.result) play(links.result);
    else if (links) watch(links);
    if ($("film").hidden) play((item.url ??= URL.createObjectURL(item.file))); // grey, until then
    return;
  }
  if (!item.preview || !now.viewer) return;
  $("view").setAttribute("aria-label", t("alt", item.name));
  now.viewer.strength = item.strength;
  now.viewer.show(item.preview, item.answer ?? null);
  $("doubt").disabled = !item.answer?.sure;
}

/** A film can be made anew when something else is chosen than it is being, or has been, made with. */
export function offerAgain({ kind, job, made, strength, model }) {
  const same = !made || (made.strength === strength && made.model === model);
  $("again").hidden = kind !== "film" || !job || same;
}

/** Hints are offered where the network takes them. */
export function offerHints(item) {
  const able = Boolean(item.answer?.guided);
  $("hints").hidden = !able;
  $("hints").setAttribute("aria-pressed", String(able && now.hinting));
  const wanted = able && now.hinting ? item : null;
  if (now.hints && now.hints.item !== wanted) now.hints.show(wanted);
}

/** The seam sweeps once across a picture that has just got its colours. */
export function reveal(item) {
  item.seen = true;
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const begun = performance.now();
  const sweep = (time) => {
    if (item !== now.current || now.dragging) return;
    const part = Math.min(1, (time - begun) / 900);
    now.viewer.seam = 1 - 0.5 * (1 - (1 - part) ** 3);
    now.viewer.draw();
    if (part < 1) requestAnimationFrame(sweep);
  };
  requestAnimationFrame(sweep);
}

export function drawStrip() {
  $("strip").hidden = items.length < 2;
  $("save-all").hidden = items.filter((item) => item.kind === "picture").length < 2;
  $("cards").replaceChildren(...items.map(card));
}

function card(item) {
  const button = Object.assign(document.createElement("button"), { type: "button", title: item.name });
  button.setAttribute("aria-label", item.name);
  button.addEventListener("click", () => select(item));
  button.addEventListener("keydown", (event) => event.key === "Delete" && remove(item));
  const entry = document.createElement("li");
  entry.append(button);
  item.card = button;
  drawCard(item);
  return entry;
}

export function drawCard(item) {
  const button = item.card;
  if (!button) return;
  button.setAttribute("aria-current", String(item === now.current));
  const state = Object.assign(document.createElement("span"), { className: "state" });
  state.textContent = item.told || (item.state === "done" ? "" : t(item.state));
  const parts = state.textContent ? [state] : [];
  if (item.preview) {
    const small = Object.assign(document.createElement("canvas"), { width: 84, height: 64 });
    const factor = Math.max(84 / item.preview.width, 64 / item.preview.height);
    const [w, h] = [item.preview.width * factor, item.preview.height * factor];
    small.getContext("2d").drawImage(item.preview, (84 - w) / 2, (64 - h) / 2, w, h);
    parts.unshift(small);
  }
  button.replaceChildren(...parts);
}

function remove(item) {
  const at = items.indexOf(item);
  items.splice(at, 1);
  forget(item.id);
  select(items[Math.min(at, items.length - 1)] ?? null);
}

/** What there is of a film that is being made: its sample, then its beginning where that can be played. */
export function watch(links) {
  const video = $("film");
  const shown = video.getAttribute("src");
  const turn = !links.sample || shown === links.watch || (shown === links.sample && video.ended);
  if (links.watch && turn && video.canPlayType("application/vnd.apple.mpegurl")) play(links.watch);
  else if (links.sample) play(links.sample);
}

function play(source) {
  const video = $("film");
  video.hidden = false;
  if (video.getAttribute("src") === source) return;
  video.muted = video.autoplay = source.endsWith("/sample") && !matchMedia("(prefers-reduced-motion: reduce)").matches;
  video.src = source;
}
