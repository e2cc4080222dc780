// Keeps the pictures of a visit and what was chosen for them, so that a reload loses nothing.
//
// Files go to the database, once: writing them takes a while. What is chosen for them goes beside it,
// at once: a page that is left in the same moment still has it.

import { setting } from "./state.js";

const [NAME, ITEMS] = ["tintype", "items"];
const filed = new Map(); // the reference of each picture that is in the database

const placeOf = (id) => `${NAME}-${id}`;

let opening;

function database() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(ITEMS, { keyPath: "id" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opening;
}

async function done(mode, work) {
  try {
    const store = (await database()).transaction(ITEMS, mode).objectStore(ITEMS);
    const request = work(store);
    return await new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  } catch {
    return undefined; // a private window, or a full disk: the visit goes on without a memory
  }
}

export function keep({ id, file, reference, ...chosen }) {
  setting(placeOf(id), JSON.stringify(chosen));
  if (filed.has(id) && filed.get(id) === reference) return;
  filed.set(id, reference);
  done("readwrite", (store) => store.put({ id, file, reference })).then((key) => key ?? filed.delete(id));
}

export function forget(id) {
  filed.delete(id);
  setting(placeOf(id), null);
  done("readwrite", (store) => store.delete(id));
}

export async function kept() {
  const found = (await done("readonly", (store) => store.getAll())) ?? [];
  for (const { id, reference } of found) filed.set(id, reference);
  return found.map((item) => ({ ...item, ...JSON.parse(setting(placeOf(item.id)) ?? "{}") }));
}
