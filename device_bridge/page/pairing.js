/** Being let in by the studio: a token from the address or a typed code, then its user's answer. */

const LATER_MS = 1500;
const FORGOTTEN = 'fretsaw.forgotten';

/** What the studio answered a token or code that it does not take. */
export class PairError extends Error {}

/**
 * Take the one-time token out of the address, so that it is neither kept nor shared by accident.
 * @returns {string} the token, or an empty string
 */
export function takeToken() {
  const found = /^#t=([\w-]{8,200})$/.exec(location.hash);
  if (location.hash) history.replaceState(null, '', location.pathname + location.search);
  return found ? found[1] : '';
}

/**
 * @param {{token?: string, code?: string, name: string}} secret
 * @returns {Promise<'asks' | 'allowed'>}
 * @throws {PairError} with a sentence of the studio
 */
export async function pair(secret) {
  let answer;
  try {
    answer = await fetch('/pair', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(secret),
    });
  } catch {
    throw new PairError('The studio cannot be reached. Is its Phone panel open?');
  }
  const record = await answer.json().catch(() => ({}));
  if (answer.ok && record.state) {
    localStorage.removeItem(FORGOTTEN);
    return record.state;
  }
  throw new PairError(record.error ?? 'The studio does not take this code. Make a new one.');
}

/**
 * Ask for the state of this phone; waits up to 25 s for its user's answer.
 * @returns {Promise<'asks' | 'allowed' | 'refused' | 'unknown' | 'away'>}
 */
export async function pairState() {
  if (localStorage.getItem(FORGOTTEN)) return 'unknown';
  try {
    const answer = await fetch('/pair', { cache: 'no-store' });
    if (answer.status === 401 || answer.status === 403) return 'unknown';
    if (!answer.ok) return 'away';
    return (await answer.json()).state ?? 'away';
  } catch {
    return 'away';
  }
}

/** The person wants to be strange to the studio; the cookie itself is out of the page's reach. */
export function forgetSession() {
  localStorage.setItem(FORGOTTEN, 'yes');
}

/** Wait until the studio's user has answered. */
export async function answered() {
  for (;;) {
    const state = await pairState();
    if (state !== 'asks' && state !== 'away') return state;
    if (state === 'away') await new Promise((resolve) => setTimeout(resolve, LATER_MS));
  }
}
