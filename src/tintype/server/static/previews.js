// Previews are opened when their pictures are looked at, and few are kept: each takes up to 16 MB.

import * as api from "./api.js";
import { opened } from "./picture.js";
import { now } from "./state.js";
import { t } from "./strings.js";

const KEPT = 6; // beside the chosen one: what is being opened, and what was chosen before
const CARD = [84, 64];

let open = []; // items whose previews are in memory, the latest last

/** Give an item its preview, and what is made of that: size, view, small picture for its card. */
export async function look(item) {
  if (!item.preview) Object.assign(item, await decoded(item));
  item.small ??= reducedTo(CARD, item.preview);
  open = [...open.filter((each) => each !== item), item];
  for (const each of open.slice(0, -KEPT)) if (each !== now.current && !each.busy) forgetPreview(each);
}

async function decoded(item) {
  try {
    return await opened(item.file);
  } catch {
    // TIFF, HEIC and the like: the server shows what the browser cannot.
    try {
      return await opened(await api.preview(item.file, item.name));
    } catch (failure) {
      const large = failure.status === 413 || /pixels/.test(failure.message);
      throw large ? new api.Failure(t("too large to show"), failure.status) : failure;
    }
  }
}

export function forgetPreview(item) {
  open = open.filter((each) => each !== item);
  item.preview?.close();
  item.preview = null;
}

function reducedTo([width, height], bitmap) {
  const small = Object.assign(document.createElement("canvas"), { width, height });
  const factor = Math.max(width / bitmap.width, height / bitmap.height);
  const [w, h] = [bitmap.width * factor, bitmap.height * factor];
  small.getContext("2d").drawImage(bitmap, (width - w) / 2, (height - h) / 2, w, h);
  return small;
}
