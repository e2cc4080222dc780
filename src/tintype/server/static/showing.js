// What is on the screen: the picture or film that was chosen, and the strip of all of them.

import * as api from "./api.js";
import { forgetPreview, look } from "./previews.js";
import { $, busy, items, now, say } from "./state.js";
import { forget } from "./store.js";
import { showStrength } from "./strength.js";
import { t } from "./strings.js";
import { offerVariants } from "./variants.js";

export function select(item) {
  now.current = item;
  $("welcome").hidden = Boolean(item);
  $("tools").hidden = !item;
  for (const each of items) each.card?.setAttribute("aria-current", String(each === item));
  if (item) {
    show(item);
    if (item.L && !item.preview) lookAgain(item);
    return;
  }
  now.hints?.show(null);
  offerVariants(null);
  stopFilm();
  busy("");
  for (const id of ["view", "seam"]) $(id).hidden = true;
}

/** Open the preview of a picture that was seen before; others have taken its place in memory. */
async function lookAgain(item) {
  busy(t("opening"));
  try {
    await look(item);
    if (item === now.current) show(item);
  } catch (error) {
    if (item !== now.current) return;
    busy("");
    say(`${item.name}: ${error.message}`);
  }
}

function stopFilm() {
  const video = $("film");
  video.hidden = true;
  video.pause(); // without its address alone it would be heard on
  video.removeAttribute("src");
  video.load();
}

export function show(item) {
  const isFilm = item.kind === "film";
  $("view").hidden = $("seam").hidden = isFilm || !item.preview;
  stopFilm();
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

/** A film can be made anew when it failed, or something else is chosen than it is made with. */
export function offerAgain({ kind, state, job, made, strength, model }) {
  const same = !job || !made || (made.strength === strength && made.model === model);
  $("again").hidden = kind !== "film" || (same && state !== "failed");
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
  button.addEventListener("keydown", (event) => event.key === "Delete" && remove(item, true));
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
  button.title = item.state === "failed" ? `${item.name}: ${item.error}` : item.name;
  const state = Object.assign(document.createElement("span"), { className: "state" });
  state.textContent = item.told || (item.state === "done" ? "" : t(item.state));
  const parts = state.textContent ? [state] : [];
  if (item.small) parts.unshift(item.small);
  button.replaceChildren(...parts);
}

/** Take an item away; what is being made of it is given up. */
export function remove(item, focused = false) {
  const at = items.indexOf(item);
  items.splice(at, 1);
  forget(item.id);
  item.asking?.abort();
  item.turn = null;
  if (item.job && item.state !== "done") api.cancel(item.job).catch(() => {}); // it may be gone
  if (item.url) URL.revokeObjectURL(item.url);
  const next = items[Math.min(at, items.length - 1)] ?? null;
  drawStrip();
  select(next);
  forgetPreview(item);
  if (focused) (items.length > 1 ? next.card : $(next ? "remove" : "choose")).focus();
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
