// What goes out: whole pictures and films, one by one or in a zip, saved or shared.

import * as api from "./api.js";
import { failed, options } from "./colouring.js";
import { drawCard } from "./showing.js";
import { busy, items, now, say } from "./state.js";
import { t } from "./strings.js";
import { zipped } from "./zip.js";

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

export function download(blob, name) {
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

export async function save() {
  if (now.current.kind === "film") {
    if (now.current.job?.links.result) download(now.current.job.links.result, "");
    return;
  }
  await saving(async () => {
    const blob = await finished(now.current);
    download(blob, resultName(now.current.name, blob.type));
  });
}

export async function saveAll() {
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

export async function share() {
  await saving(async () => {
    const blob = await finished(now.current);
    const file = new File([blob], resultName(now.current.name, blob.type), { type: blob.type });
    await navigator.share({ files: [file] }).catch((error) => {
      if (error.name !== "AbortError") throw error;
    });
  });
}
