// Keeps the pictures of a visit and what was chosen for them, so that a reload loses nothing.

const [NAME, ITEMS] = ["tintype", "items"];

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

export const keep = (item) => done("readwrite", (store) => store.put(item));
export const forget = (id) => done("readwrite", (store) => store.delete(id));
export const kept = async () => (await done("readonly", (store) => store.getAll())) ?? [];
