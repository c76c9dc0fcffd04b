/**
 * Keeps the page's own files, so that an installed page opens without the studio. The studio's
 * copy comes first whenever it can be reached; edits lie in a storage of their own.
 */
const CACHE = 'fretsaw-page-1';
const OWN = /^\/(page\/|vendor\/|$)/;
const FIXED = /^\/vendor\//;

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  const isOwn = origin === location.origin && OWN.test(pathname);
  if (request.method !== 'GET' || !isOwn || request.headers.has('Range')) return;
  event.respondWith(FIXED.test(pathname) ? keptFirst(request) : studioFirst(request));
});

async function studioFirst(request) {
  const cache = await caches.open(CACHE);
  try {
    const answer = await fetch(request);
    if (answer.ok) await keep(cache, request, answer.clone());
    return answer;
  } catch (error) {
    const kept = await cache.match(request, { ignoreSearch: true });
    if (kept) return kept;
    throw error;
  }
}

/** Runtime and fonts: files of a version never change. */
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
