/**
 * Keeps the page's own files, so that an installed page opens without the studio. The studio's
 * copy comes first whenever it can be reached; edits lie in a storage of their own.
 */
const CACHE = 'fretsaw-page-1.30.0';
const OWN = /^\/(page\/|vendor\/|$)/;
const FIXED = /^\/vendor\//;
const PATIENCE_MS = 3000;

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(begin()));

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  const isOwn = origin === location.origin && OWN.test(pathname);
  if (request.method !== 'GET' || !isOwn || request.headers.has('Range')) return;
  event.respondWith(FIXED.test(pathname) ? keptFirst(request) : studioFirst(request));
});

/** Take over the open page, and throw away what an older version kept. */
async function begin() {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith('fretsaw-page-') && name !== CACHE);
  await Promise.all([...old.map((name) => caches.delete(name)), self.clients.claim()]);
}

async function studioFirst(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request, { ignoreSearch: true });
  const fresh = fetched(cache, request);
  if (!kept) return fresh;
  // A studio that sleeps or is on another network lets a request hang, not fail.
  const patience = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS, kept));
  return Promise.race([fresh.catch(() => kept), patience]);
}

async function fetched(cache, request) {
  const answer = await fetch(request);
  if (answer.ok) await keep(cache, request, answer.clone());
  return answer;
}

/** Runtime and fonts: files of a version never change; another version makes another CACHE. */
async function keptFirst(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) keep(cache, request, answer.clone());
  return answer;
}

async function keep(cache, request, answer) {
  try {
    await cache.put(request, answer);
  } catch {
    // The storage is full: the studio serves the file again.
  }
}
