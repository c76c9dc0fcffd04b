/** The edits that are installed: what was offered, what was measured, which one is live. */

const KEY = 'fretsaw.edits.1';

/**
 * @typedef {object} Edit
 * @property {object} offer the studio's last offer that arrived whole
 * @property {object | null} coming an offer whose files are on their way
 * @property {number} done bytes that have come of it
 * @property {number | null} ms median time of a frame, measured here
 * @property {'' | 'up' | 'down'} thumb
 * @property {string} problem a sentence, or empty
 * @property {boolean} desktop whether only the desktop can compute it
 * @property {object | null} mix what is shown of its concepts, where it has some
 * @property {Record<string, string>} bad concepts that this phone computes wrongly, and why
 */

export class Library extends EventTarget {
  /** @type {Map<string, Edit>} */
  edits = new Map();
  current = '';

  constructor() {
    super();
    this.#restore();
  }

  #restore() {
    try {
      const kept = JSON.parse(localStorage.getItem(KEY) ?? '{}');
      for (const { offer, ms, thumb, desktop, mix = null } of kept.edits ?? []) {
        const edit = { ...blank(), offer, ms, thumb, desktop: Boolean(desktop), mix };
        this.edits.set(offer.id, edit);
      }
      if (this.edits.has(kept.current)) this.current = kept.current;
    } catch {
      // Kept by another version of the page, or not readable: begin anew.
    }
  }

  /** Keep what is here, and let the views know. */
  changed() {
    const edits = [...this.edits.values()].filter((edit) => edit.offer);
    const kept = edits.map(({ offer, ms, thumb, desktop, mix }) => ({
      ...{ offer, ms, thumb, desktop, mix },
    }));
    try {
      localStorage.setItem(KEY, JSON.stringify({ current: this.current, edits: kept }));
    } catch {
      // Full or forbidden: it lasts as long as the page.
    }
    this.dispatchEvent(new Event('change'));
  }

  /** @returns {Edit | undefined} */
  get(id) {
    return this.edits.get(id);
  }

  /** The edit of an id, made where there is none. */
  take(id) {
    if (!this.edits.has(id)) this.edits.set(id, blank());
    return this.edits.get(id);
  }

  remove(id) {
    this.edits.delete(id);
    if (this.current === id) this.current = this.edits.keys().next().value ?? '';
    this.changed();
  }

  clear() {
    this.edits.clear();
    this.current = '';
    this.changed();
  }

  /** Hashes that no installed or coming edit needs, among those `held`. */
  unneeded(held) {
    const needed = new Set();
    for (const { offer, coming } of this.edits.values()) {
      for (const file of [...filesOf(offer), ...filesOf(coming)]) needed.add(file.sha256);
    }
    return held.filter((hash) => !needed.has(hash));
  }
}

function blank() {
  return {
    ...{ offer: null, coming: null, done: 0, ms: null, thumb: '', problem: '', desktop: false },
    ...{ mix: null, bad: {} },
  };
}

/** The file of a role in an offer. */
export function fileOf(offer, role) {
  return offer?.files.find((file) => file.role === role);
}

/** All files of an offer, those of its concepts too. */
export function filesOf(offer) {
  const concepts = offer?.concepts?.concepts ?? [];
  return [...(offer?.files ?? []), ...concepts.flatMap((one) => one.files)];
}

/** The graphs that this page opens, in order: those that are told their weights, where they are. */
export function graphsOf(offer) {
  const role = offer.concepts ? 'switch' : 'graph';
  return offer.files.filter((file) => file.role === role);
}

/** The graphs of small pictures that come first after a switch; none where that is not offered. */
export function quickGraphsOf(offer) {
  return offer.concepts?.quick ? offer.files.filter((file) => file.role === 'quick') : [];
}

/** Files without which an offer cannot be shown; the concept of `mix` among them. */
export function firstFiles(offer, mix) {
  const wanted = ['weights', 'golden', 'thumb'].map((role) => fileOf(offer, role));
  wanted.unshift(...graphsOf(offer));
  for (const id of mix ? [mix.first, mix.second].filter(Boolean) : []) {
    const concept = offer.concepts.concepts.find((one) => one.id === id);
    wanted.push(fileOf(concept, 'adapter'), fileOf(concept, 'thumb'));
  }
  return wanted.filter(Boolean);
}

/** Bytes of all files of an offer. */
export function bytesOf(offer) {
  return filesOf(offer).reduce((sum, file) => sum + file.bytes, 0);
}

/** "1.2 MB", "340 kB". */
export function inBytes(bytes) {
  if (bytes >= 1e6) return `${(bytes / 1e6).toFixed(1)} MB`;
  return `${Math.max(1, Math.round(bytes / 1e3))} kB`;
}

/**
 * Epoch and total of a note such as "following, epoch 14 of 20"; null where it names none.
 * @param {string} note
 */
export function epochOf(note) {
  const found = /epoch (\d+)(?: of (\d+))?/i.exec(note ?? '');
  if (!found) return null;
  return { epoch: Number(found[1]), of: found[2] ? Number(found[2]) : null };
}
