// Keeps the page's own files for when there is no network; pictures and answers are never kept.

const NAME = "tintype-shell-1";
const MODULES = [
  ...["app", "api", "camera", "colouring", "hands", "hints", "lab", "picture", "previews", "saving"],
  ...["showing", "state", "store", "strength", "strings", "variants", "viewer", "zip"],
];
const FILES = [
  "/",
  ...MODULES.map((name) => `/static/${name}.js`),
  "/static/style.css",
  "/static/icon.svg",
  "/static/manifest.webmanifest",
];

self.addEventListener("install", (event) => {
  const page = (path) => new Request(path, { headers: { Accept: "text/html,*/*" }, cache: "reload" });
  const kept = async () => (await caches.open(NAME)).addAll(FILES.map(page));
  event.waitUntil(kept().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const forget = async () => {
    for (const name of await caches.keys()) if (name !== NAME) await caches.delete(name);
    await self.clients.claim();
  };
  event.waitUntil(forget());
});

self.addEventListener("fetch", (event) => {
  const { pathname, origin } = new URL(event.request.url);
  if (event.request.method !== "GET" || origin !== location.origin || !FILES.includes(pathname)) return;
  const fresh = async () => {
    const store = await caches.open(NAME);
    try {
      const answer = await fetch(event.request);
      if (answer.ok) await store.put(event.request, answer.clone());
      return answer;
    } catch {
      return (await store.match(event.request, { ignoreVary: true })) ?? Response.error();
    }
  };
  event.respondWith(fresh());
});
