/** What kind of phone and browser this is, as far as the browser tells. */

const agent = navigator.userAgent;

/** iPhone, iPad and iPod; an iPad calls itself a Mac that can be touched. */
export function isApple() {
  return /iPhone|iPad|iPod/.test(agent) || (/Macintosh/.test(agent) && navigator.maxTouchPoints > 1);
}

export function isAndroid() {
  return /Android/.test(agent);
}

/** "safari", "firefox", "samsung" or "chrome" (and what is built like it). */
export function browser() {
  if (/Firefox|FxiOS/.test(agent)) return 'firefox';
  if (/SamsungBrowser/.test(agent)) return 'samsung';
  if (/CriOS/.test(agent)) return 'chrome';
  return isApple() || (/Safari/.test(agent) && !/Chrome|Chromium/.test(agent)) ? 'safari' : 'chrome';
}

/** The browser's name in a sentence. */
export function browserName() {
  return { safari: 'Safari', firefox: 'Firefox', samsung: 'Samsung Internet', chrome: 'Chrome' }[
    browser()
  ];
}

/**
 * The phone's name for the studio's question "Allow this phone?".
 * @returns {Promise<string>}
 */
export async function deviceName() {
  try {
    const { model } = await Promise.race([
      navigator.userAgentData.getHighEntropyValues(['model']),
      new Promise((resolve) => setTimeout(resolve, 500, {})),
    ]);
    if (model) return model.slice(0, 80);
  } catch {
    // The browser does not tell; its user agent may.
  }
  if (/iPhone/.test(agent)) return 'iPhone';
  if (isApple()) return 'iPad';
  const android = /Android [\d.]+; ([^;)]+?)(?: Build|\))/.exec(agent);
  if (android && android[1] !== 'K') return android[1].slice(0, 80);
  return isAndroid() ? 'Android phone' : 'This device';
}

/** "USB" where the page came over the cable, else "Wi-Fi". */
export function routeName() {
  return ['localhost', '127.0.0.1', '[::1]'].includes(location.hostname) ? 'USB' : 'Wi-Fi';
}
