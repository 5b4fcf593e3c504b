// The service worker: keeps one page for when the house cannot be reached, and shows what is pushed. It caches nothing else.

const BUILD = "BUILD_HASH";
const KEPT = `sothebais-${BUILD}`;
const OFFLINE = "/offline";

addEventListener("install", (event) => {
  event.waitUntil(keep().then(() => skipWaiting()));
});

async function keep() {
  const cache = await caches.open(KEPT);
  const page = await fetch(OFFLINE, { credentials: "omit" });
  const html = await page.clone().text();
  await cache.put(OFFLINE, page);
  const files = [...html.matchAll(/(?:href|src)="(\/static\/[^"]+)"/g)].map((found) => found[1]);
  await cache.addAll([...new Set(files)]);
}

addEventListener("activate", (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name !== KEPT).map((name) => caches.delete(name))))
      .then(() => clients.claim()),
  );
});

addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.mode === "navigate" && request.method === "GET") {
    event.respondWith(fetch(request).catch(() => caches.match(OFFLINE)));
  } else if (new URL(request.url).pathname.startsWith(`/static/${BUILD}/`)) {
    event.respondWith(caches.match(request).then((kept) => kept ?? fetch(request)));
  }
});

addEventListener("push", (event) => {
  const told = event.data?.json() ?? {};
  event.waitUntil(
    registration.showNotification(told.title ?? "SothebAIs", { body: told.body ?? "", tag: told.id, data: { path: told.path ?? "/me" } }),
  );
});

addEventListener("notificationclick", (event) => {
  event.notification.close();
  const target = new URL(event.notification.data.path, location.origin);
  if (target.origin === location.origin) event.waitUntil(clients.openWindow(target.href));
});
