/**
 * Makes the page installable where the browser allows it. Everything works without: behind a
 * certificate that was only clicked through there is no service worker.
 */
export async function makeWorkAlone() {
  if (!globalThis.isSecureContext || !('serviceWorker' in navigator)) return;
  try {
    await navigator.serviceWorker.register('/sw.js');
  } catch {
    // Without one, the page needs the studio to open. That is all.
  }
}
