/**
 * Files of edits, by SHA-256: fetched from the studio with resuming, checked, and kept on the
 * phone. Where the browser has no storage, or it is full, they stay in memory for this visit.
 */

const CACHE = 'fretsaw-files-1';
const ATTEMPTS = 5;

/** Why a file could not be had; `stage` is the protocol's word for it. */
export class FileError extends Error {
  constructor(stage, text) {
    super(text);
    this.stage = stage;
  }
}

/** @param {ArrayBuffer} data */
export async function sha256(data) {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', data));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export class Files {
  /** What could not be stored, and what is being fetched. */
  #memory = new Map();
  #parts = new Map();
  #coming = new Map();
  /** Whether something had to stay in memory because the storage is full. */
  isFull = false;

  /** @returns {Promise<Cache | null>} */
  async #cache() {
    try {
      return await caches.open(CACHE);
    } catch {
      return null;
    }
  }

  /** Hashes of all files that are here. */
  async held() {
    const cache = await this.#cache();
    const keys = cache ? await cache.keys() : [];
    const stored = keys.map((key) => new URL(key.url).pathname.split('/').pop());
    return [...new Set([...stored, ...this.#memory.keys()])].filter((key) => key.length === 64);
  }

  /**
   * Return a file that is here, or null. What is stored was checked when it came, and is checked
   * again: a damaged file would be a wrong picture without a word.
   */
  async stored(hash) {
    const inMemory = this.#memory.get(hash);
    if (inMemory) return inMemory;
    const cache = await this.#cache();
    const found = await cache?.match(`/model/${hash}`);
    if (!found) return null;
    const data = await found.arrayBuffer();
    if ((await sha256(data)) === hash) return data;
    await cache.delete(`/model/${hash}`);
    return null;
  }

  /**
   * Return a file, fetched if it is not here.
   * @param {{sha256: string, bytes: number}} file
   * @param {(done: number) => void} onBytes
   * @param {() => Promise<string[]>} spare hashes that may be thrown away when space is short
   */
  async get(file, onBytes, spare) {
    const here = await this.stored(file.sha256);
    if (here) {
      onBytes(file.bytes);
      return here;
    }
    // A tap may want a concept that is just being fetched ahead.
    const coming = this.#coming.get(file.sha256) ?? this.#got(file, onBytes, spare);
    this.#coming.set(file.sha256, coming);
    try {
      return await coming;
    } finally {
      this.#coming.delete(file.sha256);
    }
  }

  async #got(file, onBytes, spare) {
    const data = await this.#fetch(file, onBytes);
    if ((await sha256(data)) !== file.sha256) {
      throw new FileError('hash', 'A file arrived damaged. Push the edit again.');
    }
    await this.#keep(file.sha256, data, spare);
    return data;
  }

  async #fetch(file, onBytes) {
    const part = this.#parts.get(file.sha256) ?? { chunks: [], done: 0 };
    this.#parts.set(file.sha256, part);
    for (let attempt = 1; ; attempt++) {
      const before = part.done;
      try {
        await this.#read(file, part, onBytes);
        break;
      } catch (error) {
        if (error instanceof FileError) throw error;
        if (part.done > before) attempt = 1;
        if (attempt >= ATTEMPTS) {
          throw new FileError(
            'download',
            'The download broke off. Move closer to the router, or use the cable.',
          );
        }
        await new Promise((resolve) => setTimeout(resolve, 250 * 2 ** attempt));
      }
    }
    this.#parts.delete(file.sha256);
    return joined(part.chunks, part.done);
  }

  async #read(file, part, onBytes) {
    const headers = part.done
      ? { Range: `bytes=${part.done}-`, 'If-Range': `"${file.sha256}"` }
      : {};
    const answer = await fetch(`/model/${file.sha256}`, { headers, cache: 'no-store' });
    if (answer.status === 404) {
      throw new FileError('download', 'The studio does not offer this edit any more.');
    }
    if (answer.status === 401 || answer.status === 403) {
      throw new FileError('download', 'The studio has forgotten this phone. Pair it again.');
    }
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    if (answer.status === 200 && part.done) Object.assign(part, { chunks: [], done: 0 });
    const reader = answer.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      part.chunks.push(value);
      part.done += value.length;
      if (part.done > file.bytes) {
        this.#parts.delete(file.sha256);
        throw new FileError('hash', 'A file is larger than the studio said. Push it again.');
      }
      onBytes(part.done);
    }
    if (part.done < file.bytes) throw new Error('broken off');
  }

  async #keep(hash, data, spare) {
    const cache = await this.#cache();
    if (!cache) {
      this.#memory.set(hash, data);
      return;
    }
    for (const isLast of [false, true]) {
      try {
        await cache.put(`/model/${hash}`, new Response(data));
        return;
      } catch {
        if (!isLast) await this.remove(await spare());
      }
    }
    this.isFull = true;
    this.#memory.set(hash, data);
  }

  /** @param {string[]} hashes */
  async remove(hashes) {
    const cache = await this.#cache();
    for (const hash of hashes) {
      this.#memory.delete(hash);
      await cache?.delete(`/model/${hash}`);
    }
  }

  /** Take every file off the phone. */
  async clear() {
    this.#memory.clear();
    this.#parts.clear();
    this.isFull = false;
    try {
      await caches.delete(CACHE);
    } catch {
      // No storage, nothing to clear.
    }
  }

  /** Bytes that this page uses and may use, or null where the browser does not tell. */
  async space() {
    try {
      const { usage, quota } = await navigator.storage.estimate();
      return { usage, quota };
    } catch {
      return null;
    }
  }
}

function joined(chunks, bytes) {
  const all = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all.buffer;
}
