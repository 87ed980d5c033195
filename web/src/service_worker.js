// Keeps the files of this build for use without network. FILES and LATER are written in by the build.

const BUILD = "__BUILD__";
const FILES = __FILES__;
const LATER = __LATER__; // large ones, kept when they are first asked for
const known = new Set([...FILES, ...LATER].map((name) => new URL(name, self.registration.scope).href));
let strict = true;

self.addEventListener("install", (event) => event.waitUntil(keep().then(() => self.skipWaiting())));

async function keep() {
  const cache = await caches.open(BUILD);
  await cache.addAll(FILES.map((name) => new Request(name, { cache: "no-cache" })));
}

self.addEventListener("activate", (event) =>
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys())
        if (name !== BUILD && name.startsWith("motionhub-")) await caches.delete(name);
      await self.clients.claim();
      for (const client of await self.clients.matchAll()) client.postMessage({ kept: true });
    })(),
  ),
);

self.addEventListener("message", ({ data }) => {
  if (typeof data?.strict === "boolean") strict = data.strict;
});

self.addEventListener("fetch", (event) => event.respondWith(answered(event.request)));

async function answered(request) {
  const url = new URL(request.url);
  const isPage = request.mode === "navigate" && url.pathname === new URL(self.registration.scope).pathname;
  const name = isPage ? new URL("index.html", self.registration.scope).href : url.origin + url.pathname;
  const isOwn = request.method === "GET" && !url.search && known.has(name);
  if (isOwn) {
    const cache = await caches.open(BUILD);
    const found = await cache.match(name);
    if (found) return found;
    const answer = await fetch(name);
    if (answer.ok) await cache.put(name, answer.clone());
    return answer;
  }
  if (strict || url.origin !== self.location.origin)
    return new Response("Refused: nothing is uploaded.", { status: 403 });
  return fetch(request);
}
