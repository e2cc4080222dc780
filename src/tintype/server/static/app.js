// The page: how pictures get in, what is chosen, and how it begins.

import * as api from "./api.js";
import { startCamera, whyNot } from "./camera.js";
import { colour, failed, filmAgain, newItem, remember, take, work } from "./colouring.js";
import { handle } from "./hands.js";
import { sample } from "./picture.js";
import { download, save, saveAll, share } from "./saving.js";
import { drawCard, drawStrip, offerAgain, offerHints, remove, select } from "./showing.js";
import { $, items, now, say, setting } from "./state.js";
import { kept } from "./store.js";
import { chooseStrength, showStrength } from "./strength.js";
import { languages, speak, t } from "./strings.js";
import { buildVariants, nameVariants } from "./variants.js";
import { Viewer } from "./viewer.js";

function gather() {
  const pick = (button, input) => $(button).addEventListener("click", () => $(input).click());
  pick("choose", "files");
  pick("add", "files");
  pick("choose-folder", "folder");
  pick("photograph", "shot");
  $("reference").addEventListener("click", () => {
    if (!now.current.reference) return $("reference-file").click();
    now.current.reference = null;
    again();
  });
  for (const id of ["files", "folder", "shot"])
    $(id).addEventListener("change", (event) => {
      take(event.target.files);
      event.target.value = "";
    });
  $("reference-file").addEventListener("change", (event) => {
    [now.current.reference] = event.target.files;
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
      if (/^(image|video)\//.test(file.type) || /\.(tiff?|heic|mkv|avi)$/i.test(file.name)) files.push(Object.assign(file, { path: entry.fullPath.slice(1) }));
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
  $("reference").setAttribute("aria-pressed", String(Boolean(now.current.reference)));
  remember(now.current);
  offerAgain(now.current);
  if (now.current.L) colour(now.current).catch((error) => failed(now.current, error));
}

function choose() {
  chooseStrength();
  $("variants").addEventListener("change", (event) => {
    now.current.variant = Number(event.target.value);
    again();
  });
  $("model").addEventListener("change", (event) => {
    now.current.model = event.target.value;
    again();
  });
  $("doubt").addEventListener("click", (event) => {
    now.viewer.doubt = now.viewer.doubt ? 0 : 1;
    event.currentTarget.setAttribute("aria-pressed", String(Boolean(now.viewer.doubt)));
    now.viewer.draw();
  });
  $("hints").addEventListener("click", () => {
    now.hinting = !now.hinting;
    offerHints(now.current);
  });
  $("again").addEventListener("click", () => filmAgain(now.current));
  $("remove").addEventListener("click", () => remove(now.current));
  $("save").addEventListener("click", save);
  $("save-all").addEventListener("click", saveAll);
  $("share").addEventListener("click", share);
  $("sample").addEventListener("click", async () => take([new File([await sample()], "drawing.jpg", { type: "image/jpeg" })]));
  $("live").addEventListener("click", openCamera);
  $("camera-close").addEventListener("click", () => $("camera").close());
  $("camera").addEventListener("close", () => {
    now.stopCamera?.();
    now.stopCamera = null;
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
    now.stopCamera = await startCamera($("camera-view"), now.current?.strength ?? 1, told);
    if (!$("camera").open) now.stopCamera();
  } catch {
    told(t("no camera"));
  }
}

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

function theme(wanted) {
  document.documentElement.dataset.theme = wanted === "light" ? "light" : "dark"; // a darkroom
}

function words() {
  const here = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
  $("where").textContent = t(here ? "where here" : "where there", location.host);
  nameVariants();
  if (now.current) showStrength(now.current);
  for (const item of items) drawCard(item);
}

async function begin() {
  keyOfAddress();
  theme(setting("theme"));
  $("theme").addEventListener("click", () => {
    const next = document.documentElement.dataset.theme === "light" ? "dark" : "light";
    theme(setting("theme", next));
  });
  buildVariants();
  $("language").replaceChildren(...languages.map(([code, name]) => new Option(name, code)));
  $("language").value = speak(setting("language"));
  $("language").addEventListener("change", (event) => {
    speak(setting("language", event.target.value));
    words();
  });
  words();
  try {
    now.viewer = new Viewer($("view"));
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
    const names = ready.map((model) => new Option(model.name, model.default ? "" : model.name));
    if (!ready.some((model) => model.default)) names.unshift(new Option("ONNX", "")); // a file of the server's
    $("model").replaceChildren(...names);
    $("model").value = now.current?.model ?? "";
    $("model-row").hidden = names.length < 2;
  } catch (error) {
    if (error.status === 401) askForKey();
    else say(error.message);
  }
}

async function restored() {
  const found = (await kept()).sort((one, other) => one.at - other.at);
  for (const item of found) items.push(newItem(item.file, item.name, item));
  if (!items.length) return;
  drawStrip();
  select(items[0]);
  await work(items);
}

begin();
