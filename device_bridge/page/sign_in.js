/** From the opened page to a phone that is let in, and to its camera: what the pairing screen does. */
import { answered, pair, PairError, pairState, takeToken } from './pairing.js';
import { cameraHelp, certificateHelp, lostHelp } from './help.js';
import { deviceName, isApple, routeName } from './platform.js';
import { PairView } from './pair_view.js';

/** Events: `allowed`; `done` {photo} when the camera runs, or a photo is wanted. */
export class SignIn extends EventTarget {
  #stage = 'code';
  #why = '';
  #go = '';

  /** @param {{camera: object, doctor: object, facts: object, hasEdits: () => boolean}} parts */
  constructor(parts) {
    super();
    Object.assign(this, parts);
    this.view = new PairView({
      onCode: (code) => this.#show({ code }),
      onGo: () => (this.#stage === 'camera' ? this.openCamera() : this.begin()),
      onPhoto: () => this.#done(true),
    });
    this.doctor.addEventListener('change', () => this.update());
  }

  /** Look for a token, or for a session of before; else ask for a code. */
  async begin() {
    this.facts.name = await deviceName();
    this.doctor.report('page', 'ok', `over ${routeName()}, ${location.hostname}`);
    this.doctor.lookAround();
    const token = takeToken();
    if (token) {
      await this.#show({ token });
      return;
    }
    const state = await pairState();
    if (state === 'allowed') this.#allowed();
    else if (state === 'asks') await this.#wait();
    else if (state === 'away') this.#away();
    else this.#ask('');
  }

  /** The studio does not know this phone (any more). */
  #ask(why) {
    this.#stage = 'code';
    this.view.wantCode(true);
    if (this.doctor.checks.get('code').state === 'ok') this.doctor.report('code', 'waiting');
    this.view.showError(why);
    this.update();
  }

  #away() {
    this.#stage = 'away';
    this.#go = 'Try again';
    this.view.wantCode(false);
    this.update();
  }

  async #show(secret) {
    this.view.wait();
    try {
      const state = await pair({ ...secret, name: this.facts.name });
      this.doctor.report('code', 'ok', 'The studio asks its user to allow you');
      if (state === 'allowed') this.#allowed();
      else await this.#wait();
    } catch (error) {
      if (!(error instanceof PairError)) throw error;
      this.doctor.report('code', 'failed', error.message);
      this.#ask(error.message);
    }
  }

  async #wait() {
    this.#stage = 'asks';
    this.view.wantCode(false);
    this.doctor.report('code', 'ok', 'The studio asks its user to allow you');
    this.update();
    const state = await answered();
    if (state === 'allowed') {
      this.#allowed();
      return;
    }
    this.doctor.report('allowed', 'failed', 'The studio did not let this phone in');
    this.#ask(state === 'refused' ? 'The studio did not let this phone in.' : '');
  }

  #allowed() {
    this.#stage = 'camera';
    this.view.wantCode(false);
    const now = new Date();
    this.facts.allowedAt = now.toTimeString().slice(0, 5);
    this.doctor.report('code', 'ok', 'Accepted');
    this.doctor.report('allowed', 'ok', `You allowed this phone at ${this.facts.allowedAt}`);
    this.dispatchEvent(new Event('allowed'));
    this.#afterAllowed();
  }

  async #afterAllowed() {
    this.#go = 'Start the camera';
    this.update();
    // iOS opens a camera after a tap only; elsewhere a permission that was given is enough.
    if (!isApple() && (await this.camera.isAllowed())) await this.openCamera();
  }

  /** Open the camera; a failure stays on the screen with its remedy. */
  async openCamera() {
    try {
      await this.camera.open();
      const { count, rate } = this.camera;
      const sides = count > 1 ? `${count} cameras` : 'One camera';
      this.doctor.report('camera', 'ok', rate ? `${sides}, ${rate} fps` : sides);
      this.#done(false);
    } catch (error) {
      const more = { kind: error.kind ?? 'blocked', title: error.title ?? 'Camera does not open' };
      this.doctor.report('camera', 'failed', error.message, more);
      this.#go = 'Try the camera again';
      this.update();
    }
  }

  #done(photo) {
    if (this.#stage === 'camera') this.#stage = 'done';
    if (photo) this.doctor.report('camera', 'skipped', 'A photo is used instead');
    this.dispatchEvent(new CustomEvent('done', { detail: { photo } }));
  }

  /** Draw the screen anew. */
  update() {
    if (this.view.root.hidden) return;
    const camera = this.doctor.checks.get('camera');
    const isSecure = this.doctor.checks.get('secure').state !== 'failed';
    const lead = {
      code: 'Type the code that the studio shows.',
      asks: 'Tap Allow in the studio.',
      away: 'The studio does not answer.',
      camera: 'This phone is let in.',
      done: 'This phone is let in.',
    }[this.#stage];
    const help =
      this.#stage === 'away'
        ? lostHelp()
        : !isSecure
          ? certificateHelp()
          : camera.state === 'failed'
            ? cameraHelp(camera.kind)
            : null;
    this.view.show({
      lead,
      steps: this.#steps(),
      help,
      certificate: !isSecure && routeName() === 'Wi-Fi',
      go: this.#stage === 'camera' || this.#stage === 'away' ? this.#go : '',
      photo: this.#stage === 'camera' || (this.#stage !== 'asks' && this.hasEdits()),
    });
  }

  #steps() {
    const check = (step) => this.doctor.checks.get(step);
    const page = { ...check('page'), title: 'Page opened' };
    const away = this.#stage === 'away';
    if (away) Object.assign(page, { state: 'failed', title: 'Studio not reached' });
    const camera = check('camera');
    return [
      page,
      this.#codeStep(check('code'), check('allowed')),
      {
        state: camera.state === 'waiting' && this.#stage === 'camera' ? 'now' : camera.state,
        title: camera.title ?? 'Camera',
        text: camera.text || 'You are asked once',
      },
      { ...check('backend'), title: 'Find the fastest backend', text: check('backend').text || 'about 10 s' },
      { ...check('golden'), title: 'Compare with the studio', text: check('golden').text || 'one picture' },
    ];
  }

  #codeStep(code, allowed) {
    if (code.state === 'failed') return { state: 'failed', title: 'Code not accepted', text: code.text };
    if (allowed.state === 'failed') return { state: 'failed', title: 'Not let in', text: allowed.text };
    if (allowed.state === 'ok') return { state: 'ok', title: 'Code accepted', text: allowed.text };
    if (code.state === 'ok') return { state: 'now', title: 'Code accepted', text: code.text };
    return { state: 'waiting', title: 'Code', text: 'It lives two minutes' };
  }
}
