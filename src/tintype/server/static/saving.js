// What goes out: whole pictures and films, one by one or in a zip, saved or shared.

import * as api from "./api.js";
import { failed, options } from "./colouring.js";
import { drawCard } from "./showing.js";
import { busy, items, now, say } from "./state.js";
import { t } from "./strings.js";
import { zipped } from "./zip.js";

const LARGEST = 0xf0000000; // bytes of a zip, which counts with 32 bits
const OVERHEAD = 2048; // bytes of a zip's entry, its name in both places included

const resultName = (name, type) => {
  const suffix = { "image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/avif": "avif", "image/tiff": "tif" }[type];
  const [, stem, own] = /^(.*?)(\.[^.]*)?$/.exec(name.split("/").pop());
  return `${stem}-color${suffix ? `.${suffix}` : own || ""}`;
};

/** The whole picture in colour; made once for what is chosen. */
async function finished(item) {
  const { reference, ...plain } = options(item);
  const chosen = JSON.stringify(plain);
  const { saved } = item;
  if (saved?.chosen === chosen && saved.reference === reference) return saved.blob;
  const blob = await coloured(item, options(item));
  item.saved = { chosen, reference, blob }; // what it was made of may have been changed meanwhile
  return blob;
}

async function coloured(item, given) {
  try {
    return await api.colorize(item.file, item.name, given);
  } catch (failure) {
    if (failure.status !== 413 && !failure.message.includes("/v1/jobs")) throw failure;
    const job = await api.submit(item.file, item.name, given);
    const ended = await api.follow(job, () => {});
    if (ended.state !== "done") throw new Error(ended.error);
    return api.resultOf(ended);
  }
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
  const item = now.current; // another may be chosen before it is done
  await saving(async () => {
    const blob = await finished(item);
    download(blob, resultName(item.name, blob.type));
  });
}

export async function saveAll() {
  await saving(async () => {
    const zips = [[]];
    let size = 0;
    for (const item of items.filter((each) => each.kind === "picture")) {
      try {
        const blob = await finished(item);
        size += blob.size + OVERHEAD;
        if (size > LARGEST) {
          zips.push([]);
          size = blob.size + OVERHEAD;
        }
        const folder = item.name.slice(0, item.name.lastIndexOf("/") + 1);
        zips.at(-1).push([folder + resultName(item.name, blob.type), blob]);
      } catch (error) {
        failed(item, error);
      }
      drawCard(item);
    }
    for (const [number, made] of zips.entries())
      if (made.length) download(await zipped(made), number ? `tintype-${number + 1}.zip` : "tintype.zip");
  });
}

export async function share() {
  const item = now.current;
  await saving(async () => {
    const blob = await finished(item);
    const file = new File([blob], resultName(item.name, blob.type), { type: blob.type });
    await navigator.share({ files: [file] }).catch((error) => {
      if (error.name !== "AbortError") throw error;
    });
  });
}
