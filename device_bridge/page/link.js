/**
 * The channel to the studio: a WebSocket, or server-sent events and posts where the browser does
 * not trust the certificate for sockets (iOS). Both look the same from outside.
 *
 * Events: `open` (hello is said), `message` (detail: message), `frame` (detail: picture), `closed` (detail:
 * {why, final}). A channel that breaks is opened again, after 0.5 s at first and 8 s at most.
 */
import { VersionError, packed, unpackFrame, unpacked } from './messages.js';

const MOST_WAITING = 256 * 1024;
const SOCKET_PATIENCE_MS = 6000;
const SLOWEST_MS = 8000;
const REFUSED = 1008;

export class Link extends EventTarget {
  #channel = null;
  #delay = 500;
  #timer = 0;
  #isWanted = false;
  #usesEvents = false;
  #failures = 0;
  /** Pictures that the studio is ready to take. */
  credit = 0;
  isOpen = false;

  /** @param {() => Promise<object>} greeting gives the fields of the hello message */
  constructor(greeting) {
    super();
    this.greeting = greeting;
  }

  /** Open the channel, and keep it open. */
  start() {
    this.#isWanted = true;
    this.#open();
  }

  /** Close the channel for good. */
  stop() {
    this.#isWanted = false;
    clearTimeout(this.#timer);
    this.#channel?.close();
    this.#channel = null;
    this.isOpen = false;
  }

  /** Whether a preview picture may be sent now. */
  get hasRoom() {
    return this.isOpen && this.credit > 0 && this.#channel.waiting < MOST_WAITING;
  }

  get isClogged() {
    return !this.isOpen || this.#channel.waiting >= MOST_WAITING;
  }

  /** "WebSocket", or "events" for the fallback. */
  get kind() {
    return this.#usesEvents ? 'events' : 'WebSocket';
  }

  /** Send a message; false where the channel is closed. */
  say(t, fields) {
    if (!this.isOpen) return false;
    this.#channel.send(packed(t, fields));
    return true;
  }

  /** Send a picture. @param {ArrayBuffer} data */
  show(data) {
    if (!this.isOpen) return false;
    this.#channel.send(data);
    return true;
  }

  #open() {
    clearTimeout(this.#timer);
    const before = this.#channel;
    this.#channel = null;
    before?.close();
    const Kind = this.#usesEvents ? Events : Socket;
    this.credit = 0;
    const channel = new Kind({
      opened: () => this.#opened(channel),
      heard: (data) => channel === this.#channel && this.#heard(data),
      closed: (code, why) => channel === this.#channel && this.#closed(code, why),
    });
    this.#channel = channel;
  }

  /** Say hello; nothing else goes out before it. */
  async #opened(channel) {
    const hello = await this.greeting();
    if (channel !== this.#channel) return;
    channel.send(packed('hello', hello));
    this.isOpen = true;
    this.#delay = 500;
    this.#failures = 0;
    this.dispatchEvent(new Event('open'));
  }

  #heard(data) {
    if (typeof data !== 'string') {
      const frame = unpackFrame(data);
      if (frame) this.dispatchEvent(new CustomEvent('frame', { detail: frame }));
      return;
    }
    try {
      const message = unpacked(data);
      if (message?.t === 'credit') this.credit = Math.min(16, this.credit + message.n);
      if (message?.t === 'ping') this.say('pong', { n: message.n, now: performance.now() });
      if (message) this.dispatchEvent(new CustomEvent('message', { detail: message }));
    } catch (error) {
      if (error instanceof VersionError) this.end(error.message);
      else throw error;
    }
  }

  #closed(code, why) {
    const wasOpen = this.isOpen;
    this.isOpen = false;
    this.#channel = null;
    if (code === REFUSED) {
      this.end(why || 'The studio refused a message of this page. Reload the page.');
      return;
    }
    this.dispatchEvent(new CustomEvent('closed', { detail: { why, final: false } }));
    if (!this.#isWanted) return;
    if (!wasOpen) {
      this.#failures += 1;
      // A socket that never opens is what iOS does with a certificate that is not trusted.
      if (this.#failures === 2) this.#usesEvents = !this.#usesEvents;
      if (this.#failures > 2) this.#failures = 0;
    }
    const delay = this.#delay * (0.75 + Math.random() / 2);
    this.#delay = Math.min(SLOWEST_MS, this.#delay * 2);
    this.#timer = setTimeout(() => this.#open(), delay);
  }

  /** Close the channel until somebody starts it again, and say why. */
  end(why) {
    this.stop();
    this.dispatchEvent(new CustomEvent('closed', { detail: { why, final: true } }));
  }
}

/** A WebSocket. */
class Socket {
  #socket;

  constructor({ opened, heard, closed }) {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    this.#socket = new WebSocket(`${scheme}://${location.host}/ws`);
    this.#socket.binaryType = 'arraybuffer';
    const timer = setTimeout(() => this.#socket.close(), SOCKET_PATIENCE_MS);
    this.#socket.onopen = () => {
      clearTimeout(timer);
      opened();
    };
    this.#socket.onmessage = ({ data }) => heard(data);
    this.#socket.onclose = ({ code, reason }) => {
      clearTimeout(timer);
      closed(code, reason);
    };
  }

  get waiting() {
    return this.#socket.bufferedAmount;
  }

  send(data) {
    this.#socket.send(data);
  }

  close() {
    this.#socket.close();
  }
}

/** Server-sent events down, posts up, in order. */
class Events {
  #source;
  #queue = Promise.resolve();
  #closed;
  waiting = 0;

  constructor({ opened, heard, closed }) {
    this.#closed = closed;
    this.#source = new EventSource('/events');
    this.#source.onopen = opened;
    this.#source.onmessage = ({ data }) => heard(data);
    this.#source.addEventListener('frame', ({ data }) => {
      const text = atob(data);
      heard(Uint8Array.from(text, (letter) => letter.charCodeAt(0)).buffer);
    });
    this.#source.onerror = () => this.#fail();
  }

  send(data) {
    const size = typeof data === 'string' ? data.length : data.byteLength;
    const type = typeof data === 'string' ? 'application/json' : 'application/octet-stream';
    this.waiting += size;
    this.#queue = this.#queue
      .then(() => fetch('/up', { method: 'POST', body: data, headers: { 'Content-Type': type } }))
      .then((answer) => {
        this.waiting -= size;
        if (answer.status === 401 || answer.status === 403 || answer.status === 409) this.#fail();
      })
      .catch(() => this.#fail());
  }

  #fail() {
    if (!this.#closed) return;
    const closed = this.#closed;
    this.close();
    closed(0, '');
  }

  close() {
    this.#closed = null;
    this.#source.close();
  }
}
