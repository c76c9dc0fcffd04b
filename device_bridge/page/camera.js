/** The camera of the phone: opened by a tap the first time, flipped, opened again after a pause. */
import { browserName } from './platform.js';

const SIZE = { width: { ideal: 1280 }, height: { ideal: 960 }, frameRate: { ideal: 30 } };

/** Why there is no camera picture; `kind` chooses the help card. */
export class CameraError extends Error {
  constructor(kind, title, text) {
    super(text);
    this.kind = kind;
    this.title = title;
  }
}

export class Camera extends EventTarget {
  #stream = null;
  #facing = 'environment';
  count = 0;

  /** @param {HTMLVideoElement} video */
  constructor(video) {
    super();
    this.video = video;
    video.playsInline = true;
    video.muted = true;
  }

  get isOn() {
    return this.#stream?.getVideoTracks()[0]?.readyState === 'live';
  }

  /** Whether the picture is to be mirrored, as one knows oneself. */
  get isFront() {
    const facing = this.#stream?.getVideoTracks()[0]?.getSettings().facingMode;
    return (facing ?? this.#facing) === 'user';
  }

  /** Frames a second that the camera gives, as far as it says so. */
  get rate() {
    return Math.round(this.#stream?.getVideoTracks()[0]?.getSettings().frameRate ?? 0);
  }

  /** Whether it may be opened without a tap: the permission was given before. */
  async isAllowed() {
    try {
      const { state } = await navigator.permissions.query({ name: 'camera' });
      return state === 'granted';
    } catch {
      return false;
    }
  }

  /** @throws {CameraError} */
  async open() {
    if (!navigator.mediaDevices?.getUserMedia) throw notSecure();
    this.#stop();
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({
        video: { facingMode: { ideal: this.#facing }, ...SIZE },
        audio: false,
      });
    } catch (error) {
      throw explained(error);
    }
    const [track] = this.#stream.getVideoTracks();
    track.addEventListener('ended', () => this.dispatchEvent(new Event('ended')));
    this.video.srcObject = this.#stream;
    try {
      await this.video.play();
    } catch {
      throw new CameraError('tap', 'The camera waits for a tap', 'Tap "Try the camera again".');
    }
    await this.#look();
    this.dispatchEvent(new Event('change'));
  }

  /** Use the other side's camera. */
  async flip() {
    this.#facing = this.#facing === 'user' ? 'environment' : 'user';
    await this.open();
  }

  close() {
    this.#stop();
    this.video.srcObject = null;
    this.dispatchEvent(new Event('change'));
  }

  async #look() {
    try {
      const devices = await navigator.mediaDevices.enumerateDevices();
      this.count = devices.filter((device) => device.kind === 'videoinput').length;
    } catch {
      this.count = 1;
    }
  }

  #stop() {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
  }
}

function notSecure() {
  return new CameraError(
    'secure',
    'This address is not secure',
    'A browser gives the camera to https pages only.',
  );
}

function explained(error) {
  const name = browserName();
  switch (error.name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return new CameraError(
        'blocked',
        'Camera is blocked',
        `${name} was told “never” for this page`,
      );
    case 'NotFoundError':
    case 'OverconstrainedError':
      return new CameraError('none', 'No camera found', 'This device has no camera that works.');
    case 'NotReadableError':
    case 'AbortError':
      return new CameraError('busy', 'Camera is busy', 'Another app or page uses the camera.');
    default:
      return new CameraError('blocked', 'Camera does not open', `${name} says ${error.name}.`);
  }
}
