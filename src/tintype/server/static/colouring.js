// From files to colours: what is opened, asked of the server, and followed until it is done.

import * as api from "./api.js";
import { written } from "./hints.js";
import { chromaOf } from "./picture.js";
import { look } from "./previews.js";
import { drawCard, drawStrip, offerAgain, offerHints, reveal, select, show, watch } from "./showing.js";
import { $, busy, items, now, say } from "./state.js";
import { keep } from "./store.js";
import { t } from "./strings.js";
import { answerOf, chosen, offerVariants } from "./variants.js";

const SAMPLE = "5s"; // of a film, seen before the rest is coloured
const FILMS = /\.(mp4|m4v|mov|mkv|avi|webm|mpe?g|ts|m2ts|wmv|flv|gif)$/i;
const AT_ONCE = 2; // pictures that are opened and coloured at a time

export function failed(item, error) {
  item.state = "failed";
  item.told = "";
  item.error = error.message;
  say(`${item.name}: ${error.message}`);
  drawCard(item);
  if (item !== now.current) return;
  busy("");
  offerAgain(item);
}

export function take(files) {
  const known = [...files].filter((file) => file.size);
  const added = known.map((file) => newItem(file, file.path || file.webkitRelativePath || file.name));
  for (const item of added) {
    items.push(item);
    remember(item);
  }
  drawStrip();
  if (added.length) select(added[0]);
  work(added);
}

export function newItem(file, name, kept = {}) {
  const film = FILMS.test(file.name) || file.type.startsWith("video/");
  const id = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
  const strength = now.current?.strength ?? 1;
  const kind = film ? "film" : "picture";
  return { id, file, name, kind, strength, variant: 0, model: "", state: "new", ...kept };
}

export function remember(item) {
  const { id, file, name, kind, strength, variant, model, reference, job, made } = item;
  const given = { strength, variant, model, reference, hints: item.hints ?? [] };
  keep({ id, file, name, kind, job, made, ...given, at: items.indexOf(item) });
}

export async function work(added) {
  const queue = [...added];
  const next = async () => {
    while (queue.length) {
      const item = queue.shift();
      if (!items.includes(item)) continue; // removed meanwhile
      await (item.kind === "film" ? film(item) : picture(item));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
}

async function picture(item) {
  item.busy = true;
  try {
    step(item, "opening");
    await look(item);
    if (item === now.current) show(item);
    if (item.coloured) say(`${item.name}: ${t("in colour")}`);
    await colour(item);
  } catch (error) {
    failed(item, error);
  }
  item.busy = false;
}

export async function colour(item) {
  item.asking?.abort();
  const { signal } = (item.asking = new AbortController()); // of this call: others may follow
  step(item, "colouring");
  try {
    let answer = await answerOf(item, chosen(item), signal);
    if (item.reference) answer = await lend(item, answer, signal);
    if (signal.aborted) return;
    item.answer = answer;
  } catch (error) {
    if (signal.aborted) return;
    throw error;
  }
  item.state = "done";
  drawCard(item);
  if (item !== now.current) return;
  busy("");
  now.viewer?.colour(item.answer);
  offerHints(item);
  offerVariants(item);
  $("doubt").disabled = !item.answer.sure;
  $("doubt").title = item.answer.sure ? "" : t("no confidence");
  if (!item.seen) reveal(item);
}

/** Colours that a reference lends: the server makes them at preview size, the page reads them off. */
async function lend(item, answer, signal) {
  const canvas = new OffscreenCanvas(item.preview.width, item.preview.height);
  canvas.getContext("2d").drawImage(item.preview, 0, 0);
  const small = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.95 });
  const seen = { ...item, size: [item.preview.width, item.preview.height] };
  const made = await api.colorize(small, "preview.jpg", { ...options(seen), strength: 1 }, signal);
  const { width, height, covered } = answer;
  const whole = covered[0] === width && covered[1] === height;
  const ab = chromaOf(await createImageBitmap(made), width, height);
  return { ...answer, covered: [width, height], ab, sure: whole ? answer.sure : null };
}

export function options(item) {
  // What was shown in colour is saved so, whatever colours it has already.
  const given = { strength: item.strength, variant: chosen(item), model: item.model, force: true };
  if (item.reference) given.reference = item.reference;
  if (item.hints?.length) given.hint = written(item.hints, ...item.size);
  return given;
}

function step(item, key) {
  item.state = key;
  drawCard(item);
  if (item === now.current) busy(t(key));
}

/** Do a film anew, as it is chosen now; what was being made is given up. */
export function filmAgain(item) {
  if (item.job && item.state !== "done") api.cancel(item.job).catch(() => {}); // it may be gone
  item.job = null;
  item.state = "new";
  show(item);
  return film(item);
}

async function film(item) {
  const turn = (item.turn = {});
  const over = () => item.turn !== turn;
  try {
    if (!item.job) {
      const chosen = { strength: item.strength, model: item.model };
      const sent = (part) => over() || progress(item, t("sending", Math.round(100 * part)));
      const job = await api.submit(item.file, item.name, { ...chosen, sample: SAMPLE }, sent);
      if (over()) return void api.cancel(job).catch(() => {});
      Object.assign(item, { job, made: chosen });
      remember(item);
      if (item === now.current) offerAgain(item);
    }
    const ended = await api.follow(item.job, (job) => {
      if (over()) return;
      item.job = job;
      const { done, total, rate, stage } = job.progress;
      const part = total ? Math.floor((100 * done) / total) : 0;
      const making = t(stage === "sample" ? "sampling" : "making", part, Math.round(rate));
      progress(item, job.state === "queued" ? t("waiting") : making);
      if (item === now.current) watch(job.links);
    });
    if (over()) return;
    if (ended.state !== "done") throw new Error(ended.error || t("failed"));
    item.state = "done";
    item.told = "";
    drawCard(item);
    if (item === now.current) show(item);
    if (ended.notes.length) say(ended.notes.join(" "));
  } catch (error) {
    if (over()) return;
    if (error.status === 404) {
      item.job = null;
      remember(item);
    }
    failed(item, error);
  }
}

function progress(item, text) {
  item.told = text;
  drawCard(item);
  if (item === now.current) busy(text);
}
