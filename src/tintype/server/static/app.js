// The page: what is open, what is chosen for it, and how it gets in and out.

import * as api from "./api.js";
import { startCamera, whyNot } from "./camera.js";
import { Hints, written } from "./hints.js";
import { chromaOf, opened, sample } from "./picture.js";
import { forget, keep, kept } from "./store.js";
import { languages, speak, t } from "./strings.js";
import { Viewer } from "./viewer.js";
import { zipped } from "./zip.js";

const $ = (id) => document.getElementById(id);
const FILMS = /\.(mp4|m4v|mov|mkv|avi|webm|mpe?g|ts|m2ts|wmv|flv|gif)$/i;
const AT_ONCE = 2; // pictures that are opened and coloured at a time

const items = [];
let current = null;
let viewer = null;
let hints = null;
let hinting = false;
let stopCamera = null;

// --- saying things ---

let silence = 0;

function say(text) {
  clearTimeout(silence);
  $("said").textContent = text;
  silence = setTimeout(() => ($("said").textContent = ""), 9000);
}

function busy(text) {
  $("busy").textContent = text;
  $("busy").hidden = !text;
}

function failed(item, error) {
  item.state = "failed";
  item.error = error.message;
  say(`${item.name}: ${error.message}`);
  drawCard(item);
  if (item === current) busy("");
}

// --- what comes in ---

function take(files) {
  const known = [...files].filter((file) => file.size);
  const added = known.map((file) => newItem(file, file.webkitRelativePath || file.name));
  for (const item of added) {
    items.push(item);
    remember(item);
  }
  if (added.length) select(added[0]);
  work(added);
  drawStrip();
}

function newItem(file, name, chosen = {}) {
  const film = FILMS.test(file.name) || file.type.startsWith("video/");
  const id = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
  const strength = current?.strength ?? 1;
  return { id, file, name, kind: film ? "film" : "picture", strength, model: "", state: "new", ...chosen };
}

function remember(item) {
  const { id, file, name, kind, strength, model, reference, job } = item;
  const given = { hints: item.hints ?? [] };
  return keep({ id, file, name, kind, strength, model, reference, job, ...given, at: items.indexOf(item) });
}

async function work(added) {
  const queue = [...added];
  const next = async () => {
    while (queue.length) {
      const item = queue.shift();
      await (item.kind === "film" ? film(item) : picture(item));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
}

async function picture(item) {
  try {
    step(item, "opening");
    try {
      Object.assign(item, await opened(item.file));
    } catch {
      // TIFF, HEIC and the like: the server shows what the browser cannot.
      Object.assign(item, await opened(await api.preview(item.file, item.name)));
    }
    if (item === current) show(item);
    if (item.coloured) say(`${item.name}: ${t("in colour")}`);
    await colour(item);
  } catch (error) {
    failed(item, error);
  }
}

async function colour(item) {
  item.asking?.abort();
  item.asking = new AbortController();
  step(item, "colouring");
  const view = { L: item.L, width: item.width, height: item.height };
  try {
    const given = written(item.hints ?? [], item.width, item.height);
    item.answer = await api.predict(view, item.model, given, item.asking.signal);
    if (item.reference) await lend(item);
  } catch (error) {
    if (item.asking.signal.aborted) return;
    throw error;
  }
  item.state = "done";
  item.saved = null;
  drawCard(item);
  if (item !== current) return;
  busy("");
  viewer?.colour(item.answer);
  offerHints(item);
  $("doubt").disabled = !item.answer.sure;
  $("doubt").title = item.answer.sure ? "" : t("no confidence");
  if (!item.seen) reveal(item);
}

/** Colours that a reference lends: the server makes them at preview size, the page reads them off. */
async function lend(item) {
  const canvas = new OffscreenCanvas(item.preview.width, item.preview.height);
  canvas.getContext("2d").drawImage(item.preview, 0, 0);
  const small = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.95 });
  const seen = { ...item, size: [item.preview.width, item.preview.height] };
  const made = await api.colorize(small, "preview.jpg", { ...options(seen), strength: 1, force: true });
  const { width, height, covered } = item.answer;
  item.answer = { ...item.answer, covered: [width, height], ab: chromaOf(await createImageBitmap(made), width, height) };
  if (covered[0] !== width || covered[1] !== height) item.answer.sure = null;
}

function options(item) {
  const chosen = { strength: item.strength, model: item.model };
  if (item.coloured) chosen.force = true;
  if (item.reference) chosen.reference = item.reference;
  if (item.hints?.length) chosen.hint = written(item.hints, ...item.size);
  return chosen;
}

function step(item, key) {
  item.state = key;
  drawCard(item);
  if (item === current) busy(t(key));
}

// --- films ---

async function film(item) {
  try {
    if (!item.job) {
      const sent = (part) => progress(item, t("sending", Math.round(100 * part)));
      item.job = await api.submit(item.file, item.name, { strength: item.strength, model: item.model }, sent);
      remember(item);
    }
    const ended = await api.follow(item.job, (job) => {
      item.job = job;
      const { done, total, rate } = job.progress;
      const part = total ? Math.floor((100 * done) / total) : 0;
      progress(item, job.state === "queued" ? t("waiting") : t("making", part, Math.round(rate)));
      if (item === current && job.links.watch) play(job.links.watch, true);
    });
    if (ended.state !== "done") throw new Error(ended.error || t("failed"));
    item.state = "done";
    item.told = "";
    drawCard(item);
    if (item === current) show(item);
    if (ended.notes.length) say(ended.notes.join(" "));
  } catch (error) {
    if (error.status === 404) item.job = null;
    failed(item, error);
  }
}

function progress(item, text) {
  item.told = text;
  drawCard(item);
  if (item === current) busy(text);
}

function play(source, unfinished) {
  const video = $("film");
  if (unfinished && !video.canPlayType("application/vnd.apple.mpegurl")) return;
  if (video.getAttribute("src") !== source) video.src = source;
  video.hidden = false;
}

// --- what is shown ---

function select(item) {
  current = item;
  $("welcome").hidden = Boolean(item);
  if (!item) hints?.show(null);
  $("tools").hidden = !item;
  if (item) show(item);
  drawStrip();
}

function show(item) {
  const isFilm = item.kind === "film";
  $("view").hidden = $("seam").hidden = isFilm || !item.preview;
  $("film").hidden = true;
  $("film").removeAttribute("src");
  $("strength").value = item.strength;
  $("strength-value").textContent = `${Math.round(100 * item.strength)} %`;
  $("model").value = item.model;
  $("reference").setAttribute("aria-pressed", String(Boolean(item.reference)));
  for (const id of ["doubt", "reference"]) $(id).hidden = isFilm;
  offerHints(item);
  busy(item.state === "done" || item.state === "failed" ? "" : item.told || t(item.state));
  if (isFilm) {
    const links = item.job?.links;
    if (links?.result) play(links.result, false);
    else if (links?.watch) play(links.watch, true);
    if ($("film").hidden) play((item.url ??= URL.createObjectURL(item.file)), false); // grey, until then
    return;
  }
  if (!item.preview || !viewer) return;
  $("view").setAttribute("aria-label", t("alt", item.name));
  viewer.strength = item.strength;
  viewer.show(item.preview, item.answer ?? null);
  $("doubt").disabled = !item.answer?.sure;
}

/** Hints are offered where the network takes them. */
function offerHints(item) {
  const able = Boolean(item.answer?.guided);
  $("hints").hidden = !able;
  $("hints").setAttribute("aria-pressed", String(able && hinting));
  const wanted = able && hinting ? item : null;
  if (hints && hints.item !== wanted) hints.show(wanted);
}

/** The seam sweeps once across a picture that has just got its colours. */
function reveal(item) {
  item.seen = true;
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const begun = performance.now();
  const sweep = (now) => {
    if (item !== current || dragging) return;
    const part = Math.min(1, (now - begun) / 900);
    viewer.seam = 1 - 0.5 * (1 - (1 - part) ** 3);
    viewer.draw();
    if (part < 1) requestAnimationFrame(sweep);
  };
  requestAnimationFrame(sweep);
}

function drawStrip() {
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

function drawCard(item) {
  const button = item.card;
  if (!button) return;
  button.setAttribute("aria-current", String(item === current));
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

// --- what goes out ---

const resultName = (name, type) => {
  const suffix = { "image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/avif": "avif", "image/tiff": "tif" }[type];
  const [, stem, own] = /^(.*?)(\.[^.]*)?$/.exec(name.split("/").pop());
  return `${stem}-color${suffix ? `.${suffix}` : own || ""}`;
};

/** The whole picture in colour; made once for what is chosen. */
async function finished(item) {
  if (item.saved) return item.saved;
  try {
    item.saved = await api.colorize(item.file, item.name, options(item));
  } catch (failure) {
    if (failure.status !== 413 && !failure.message.includes("/v1/jobs")) throw failure;
    const job = await api.submit(item.file, item.name, options(item));
    const ended = await api.follow(job, () => {});
    if (ended.state !== "done") throw new Error(ended.error);
    item.saved = await (await fetch(ended.links.result)).blob();
  }
  return item.saved;
}

function download(blob, name) {
  const link = document.createElement("a");
  link.href = typeof blob === "string" ? blob : URL.createObjectURL(blob);
  link.download = name;
  link.click();
  if (typeof blob !== "string") setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

async function saving(work) {
  busy(t("saving"));
  try {
    await work();
  } catch (error) {
    say(error.message);
  }
  busy("");
}

async function save() {
  if (current.kind === "film") {
    if (current.job?.links.result) download(current.job.links.result, "");
    return;
  }
  await saving(async () => {
    const blob = await finished(current);
    download(blob, resultName(current.name, blob.type));
  });
}

async function saveAll() {
  await saving(async () => {
    const made = [];
    for (const item of items.filter((each) => each.kind === "picture")) {
      try {
        const blob = await finished(item);
        made.push([resultName(item.name, blob.type), blob]);
        item.told = t("done");
      } catch (error) {
        failed(item, error);
      }
      drawCard(item);
    }
    if (made.length) download(await zipped(made), "tintype.zip");
  });
}

async function share() {
  await saving(async () => {
    const blob = await finished(current);
    const file = new File([blob], resultName(current.name, blob.type), { type: blob.type });
    await navigator.share({ files: [file] }).catch((error) => {
      if (error.name !== "AbortError") throw error;
    });
  });
}

// --- hands ---

let dragging = null;
const fingers = new Map();

function seamTo(clientX) {
  viewer.seam = Math.min(1, Math.max(0, viewer.locate(clientX, 0)[0]));
  viewer.draw();
}

function handle() {
  const [view, seam] = [$("view"), $("seam")];
  hints = new Hints(viewer, (item) => {
    item.saved = null;
    remember(item);
    colour(item).catch((error) => failed(item, error));
  });
  viewer.onDraw = () => {
    hints.draw();
    seam.style.left = `${viewer.seamX()}px`;
    seam.setAttribute("aria-valuenow", String(Math.round(100 * viewer.seam)));
  };
  seam.addEventListener("pointerdown", (event) => {
    dragging = event.pointerId;
    seam.setPointerCapture(event.pointerId);
  });
  seam.addEventListener("pointermove", (event) => dragging === event.pointerId && seamTo(event.clientX));
  for (const end of ["pointerup", "pointercancel"]) seam.addEventListener(end, () => (dragging = null));
  seam.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -0.02, ArrowRight: 0.02, PageDown: -0.2, PageUp: 0.2, Home: -1, End: 1 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    viewer.seam = Math.min(1, Math.max(0, viewer.seam + steps[event.key]));
    viewer.draw();
  });
  view.addEventListener("wheel", (event) => {
    event.preventDefault();
    viewer.zoomAt(Math.exp(-event.deltaY / 400), event.clientX, event.clientY);
  }, { passive: false });
  view.addEventListener("pointerdown", (event) => {
    view.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
  });
  view.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before || !viewer.size) return;
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const [was, is] = [before, [event.clientX, event.clientY]].map((p) => Math.hypot(p[0] - other[0], p[1] - other[1]));
      viewer.zoomAt(is / Math.max(was, 1), other[0], other[1]);
    } else {
      const [w, h] = [view.clientWidth, view.clientHeight];
      viewer.moveBy((2 * (event.clientX - before[0])) / w, (-2 * (event.clientY - before[1])) / h);
    }
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
  });
  let pressed = [0, 0];
  view.addEventListener("pointerdown", (event) => (pressed = [event.clientX, event.clientY]));
  view.addEventListener("pointerup", (event) => {
    const still = Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]) < 5;
    if (hinting && still && fingers.size === 1) hints.add(...viewer.locate(event.clientX, event.clientY));
  });
  for (const end of ["pointerup", "pointercancel"])
    view.addEventListener(end, (event) => fingers.delete(event.pointerId));
  view.addEventListener("dblclick", (event) => {
    if (hinting) return;
    if (viewer.zoom > 1) viewer.fit(), viewer.draw();
    else viewer.zoomAt(4, event.clientX, event.clientY);
  });
  view.addEventListener("keydown", (event) => {
    const box = view.getBoundingClientRect();
    const middle = [box.left + box.width / 2, box.top + box.height / 2];
    const moves = { ArrowLeft: [0.1, 0], ArrowRight: [-0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] };
    if (event.key === "+" || event.key === "=") viewer.zoomAt(1.25, ...middle);
    else if (event.key === "-") viewer.zoomAt(0.8, ...middle);
    else if (event.key === "0") viewer.fit(), viewer.draw();
    else if (event.key in moves) viewer.moveBy(...moves[event.key]);
    else return;
    event.preventDefault();
  });
}

function gather() {
  const pick = (button, input) => $(button).addEventListener("click", () => $(input).click());
  pick("choose", "files");
  pick("add", "files");
  pick("choose-folder", "folder");
  pick("photograph", "shot");
  $("reference").addEventListener("click", () => {
    if (!current.reference) return $("reference-file").click();
    current.reference = null;
    again();
  });
  for (const id of ["files", "folder", "shot"])
    $(id).addEventListener("change", (event) => {
      take(event.target.files);
      event.target.value = "";
    });
  $("reference-file").addEventListener("change", (event) => {
    [current.reference] = event.target.files;
    event.target.value = "";
    again();
  });
  let inside = 0;
  const veil = (there) => ($("veil").hidden = !there);
  addEventListener("dragenter", (event) => {
    if (event.dataTransfer?.types.includes("Files")) veil(++inside);
  });
  addEventListener("dragleave", () => veil((inside = Math.max(0, inside - 1))));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", async (event) => {
    event.preventDefault();
    veil((inside = 0));
    take(await dropped(event.dataTransfer));
  });
  addEventListener("paste", (event) => take(event.clipboardData.files));
}

/** The files of a drop, those of folders in it as well. */
async function dropped(transfer) {
  const roots = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!roots.some((entry) => entry.isDirectory)) return transfer.files;
  const files = [];
  const walk = async (entry) => {
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      if (/^(image|video)\//.test(file.type) || /\.(tiff?|heic|mkv|avi)$/i.test(file.name)) files.push(file);
      return;
    }
    const reader = entry.createReader();
    for (let more = [0]; more.length; ) {
      more = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      for (const child of more) await walk(child);
    }
  };
  for (const root of roots) await walk(root);
  return files;
}

function again() {
  $("reference").setAttribute("aria-pressed", String(Boolean(current.reference)));
  current.saved = null;
  remember(current);
  if (current.L) colour(current).catch((error) => failed(current, error));
}

function choose() {
  $("strength").addEventListener("input", (event) => {
    current.strength = Number(event.target.value);
    current.saved = null;
    $("strength-value").textContent = `${Math.round(100 * current.strength)} %`;
    if (!viewer) return;
    viewer.strength = current.strength;
    viewer.draw();
  });
  $("strength").addEventListener("change", () => remember(current));
  $("model").addEventListener("change", (event) => {
    current.model = event.target.value;
    again();
  });
  $("doubt").addEventListener("click", (event) => {
    viewer.doubt = viewer.doubt ? 0 : 1;
    event.currentTarget.setAttribute("aria-pressed", String(Boolean(viewer.doubt)));
    viewer.draw();
  });
  $("hints").addEventListener("click", () => {
    hinting = !hinting;
    offerHints(current);
  });
  $("save").addEventListener("click", save);
  $("save-all").addEventListener("click", saveAll);
  $("share").addEventListener("click", share);
  $("sample").addEventListener("click", async () => take([new File([await sample()], "drawing.jpg", { type: "image/jpeg" })]));
  $("live").addEventListener("click", openCamera);
  $("camera-close").addEventListener("click", () => $("camera").close());
  $("camera").addEventListener("close", () => {
    stopCamera?.();
    stopCamera = null;
  });
  $("camera-take").addEventListener("click", () =>
    $("camera-view").toBlob((blob) => download(blob, "tintype.jpg"), "image/jpeg", 0.92),
  );
}

async function openCamera() {
  const reason = whyNot();
  if (reason) return say(reason);
  $("camera").showModal();
  const told = (text) => ($("camera-said").textContent = text);
  told("");
  try {
    stopCamera = await startCamera($("camera-view"), current?.strength ?? 1, told);
    if (!$("camera").open) stopCamera();
  } catch {
    told(t("no camera"));
  }
}

// --- keys ---

function useKey(key) {
  const safe = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `tintype-key=${encodeURIComponent(key)}; SameSite=Strict; path=/; max-age=31536000${safe}`;
}

/** Take the key out of an address that `tintype serve --tls` has printed. */
function keyOfAddress() {
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (!key) return;
  useKey(key);
  history.replaceState(null, "", location.pathname);
}

function askForKey() {
  $("key").showModal();
  $("key").addEventListener("close", () => {
    if (!$("key-text").value) return;
    useKey($("key-text").value);
    location.reload();
  }, { once: true });
}

// --- the beginning ---

function theme(wanted) {
  document.documentElement.dataset.theme = wanted === "light" ? "light" : "dark"; // a darkroom
}

const setting = (name, value) => {
  try {
    if (value === undefined) return localStorage.getItem(name);
    localStorage.setItem(name, value);
  } catch {
    // without storage the choice holds for this visit
  }
  return value;
};

function words() {
  const here = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
  $("where").textContent = t(here ? "where here" : "where there", location.host);
  for (const item of items) drawCard(item);
}

async function begin() {
  keyOfAddress();
  theme(setting("theme"));
  $("theme").addEventListener("click", () => {
    const next = document.documentElement.dataset.theme === "light" ? "dark" : "light";
    theme(setting("theme", next));
  });
  $("language").replaceChildren(...languages.map(([code, name]) => new Option(name, code)));
  $("language").value = speak(setting("language"));
  $("language").addEventListener("change", (event) => {
    speak(setting("language", event.target.value));
    words();
  });
  words();
  try {
    viewer = new Viewer($("view"));
    handle();
  } catch {
    say(t("no webgl"));
  }
  gather();
  choose();
  $("share").hidden = !navigator.canShare?.({ files: [new File([""], "a.jpg", { type: "image/jpeg" })] });
  $("choose-folder").hidden = !("webkitdirectory" in HTMLInputElement.prototype) || matchMedia("(pointer: coarse)").matches;
  navigator.serviceWorker?.register("/worker.js").catch(() => {});
  await Promise.all([networks(), restored()]);
}

async function networks() {
  try {
    const ready = (await api.models()).filter((model) => model.ready);
    const names = ready.map((model, at) => new Option(model.name, at ? model.name : ""));
    $("model").replaceChildren(...names);
    $("model-row").hidden = ready.length < 2;
  } catch (error) {
    if (error.status === 401) askForKey();
    else say(error.message);
  }
}

async function restored() {
  const found = (await kept()).sort((one, other) => one.at - other.at);
  for (const item of found) items.push(newItem(item.file, item.name, item));
  if (!items.length) return;
  select(items[0]);
  await work(items);
}

begin();
