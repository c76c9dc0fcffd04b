/** The page: makes its parts, and passes on what one has to tell another. */
import { Camera } from './camera.js';
import { CameraView } from './camera_view.js';
import { Choice } from './choice.js';
import { Desktop } from './desktop.js';
import { Doctor } from './doctor.js';
import { EditsView } from './edits_view.js';
import { Files } from './files.js';
import { Installer } from './installer.js';
import { Library } from './library.js';
import { Link } from './link.js';
import { Loop } from './loop.js';
import { PAGE_VERSION } from './messages.js';
import { PhoneView } from './phone_view.js';
import { Player } from './player.js';
import { Prefetch } from './prefetch.js';
import { Preview } from './preview.js';
import { SignIn } from './sign_in.js';
import { Stage } from './stage.js';
import { Stats } from './stats.js';
import { Switcher } from './switcher.js';
import { Telemetry } from './telemetry.js';
import { Thumbs } from './thumbs.js';
import { arrowKeys, byId, toast } from './dom.js';
import { Benches } from './benches.js';
import { capabilities } from './ladder.js';
import { isApple } from './platform.js';
import { makeWorkAlone } from './install.js';
import { forgetSession, pairState } from './pairing.js';
import { placeIcons } from './icons.js';
import { PictureTools } from './picture_tools.js';


class App {
  facts = {
    name: 'This device',
    studio: localStorage.getItem('fretsaw.studio') ?? '',
    allowedAt: '',
    awayMs: null,
    isMeasuring: false,
    lostWhy: '',
    wasOpen: false,
    space: null,
    hasEdit: () => Boolean(this.library.get(this.library.current)?.offer),
  };
  tab = 'camera';
  capable = null;
  #hasTrouble = false;
  side = null;

  constructor() {
    placeIcons(document);
    this.link = new Link(() => this.#hello());
    this.files = new Files();
    this.library = new Library();
    this.choice = new Choice();
    this.stats = new Stats();
    this.player = new Player(this.files);
    this.desktop = new Desktop(this.link);
    this.stage = new Stage(byId('canvas'));
    this.camera = new Camera(byId('video'));
    this.doctor = new Doctor(this.link);
    this.thumbs = new Thumbs(this.files);
    this.loop = new Loop({ ...this, video: byId('video'), size: () => this.size() });
    this.preview = new Preview(this);
    this.telemetry = new Telemetry(this);
    this.installer = new Installer(this);
    this.switcher = new Switcher(this);
    this.prefetch = new Prefetch(this);
    this.signIn = new SignIn({ ...this, hasEdits: () => this.facts.hasEdit() });
    this.#views();
    this.#listen();
  }

  /** Pixels of the network's picture. */
  size() {
    const { input } = this.player.live.offer;
    if (!this.side) return { width: input.width, height: input.height };
    return { width: this.side, height: Math.round((this.side * input.height) / input.width) };
  }

  #views() {
    this.cameraView = new CameraView({
      ...this,
      onPick: (id, concept) => this.pick(id, concept),
      onMix: (id, mix) => this.switcher.show(id, mix),
      onStrength: () => this.#sayChosen(),
    });
    this.editsView = new EditsView({
      ...this,
      studio: () => this.facts.studio,
      onPick: (id, concept) => {
        this.pick(id, concept);
        this.open('camera');
      },
      onRemove: (id) => this.installer.remove(id),
      onNote: (id, note) => this.#note(id, note),
    });
    this.phoneView = new PhoneView({
      ...this,
      actions: {
        pick: (backend) => this.pickBackend(backend),
        reconnect: () => this.reconnect(),
        openCamera: () => this.startCamera(),
        canShrink: () => this.#canShrink(),
        useSmaller: () => {
          this.side = 192;
        },
      },
    });
    this.benches = new Benches({ ...this, update: () => this.update() });
    this.tools = new PictureTools({ ...this, startCamera: () => this.startCamera() });
    // Safari installs a profile that it opens, not one that it saves.
    for (const id of ['certificate', 'pair-certificate']) {
      if (isApple()) byId(id).removeAttribute('download');
    }
    const tabs = byId('tabs');
    arrowKeys(tabs);
    for (const tab of ['camera', 'edits', 'phone']) {
      byId(`tab-${tab}`).addEventListener('click', () => this.open(tab));
    }
    byId('measure').addEventListener('click', () => this.benches.all());
    byId('forget').addEventListener('click', () => this.forget());
    byId('clear').addEventListener('click', () => this.clear());
  }

  #listen() {
    const { link, library, player, loop, choice } = this;
    link.addEventListener('open', () => this.#greet());
    link.addEventListener('closed', ({ detail }) => this.#lost(detail));
    link.addEventListener('message', ({ detail }) => this.#heard(detail));
    this.signIn.addEventListener('allowed', () => link.start());
    this.signIn.addEventListener('done', ({ detail }) => this.#enter(detail.photo));
    for (const part of [library, player, choice, this.thumbs, this.doctor]) {
      part.addEventListener('change', () => this.update());
    }
    this.telemetry.addEventListener('second', () => this.#second());
    loop.addEventListener('frame', ({ detail }) => this.#painted(detail));
    loop.addEventListener('trouble', ({ detail }) => {
      this.#hasTrouble = true;
      this.cameraView.notice(detail.text);
    });
    player.addEventListener('swapped', () => {
      this.side = null;
      this.stage.dropEdit();
    });
    for (const part of [this.installer, this.switcher]) {
      part.addEventListener('problem', ({ detail }) => toast(detail.text));
    }
    this.installer.addEventListener('ready', ({ detail }) => this.prefetch.begin(detail.id));
    this.prefetch.addEventListener('checked', ({ detail }) => link.say('golden', detail));
    this.prefetch.addEventListener('bad', ({ detail }) => this.switcher.turnOff(detail));
    document.addEventListener('visibilitychange', () => this.tools.visible(!document.hidden));
    this.camera.addEventListener('ended', () => this.tools.ended());
  }

  /** Begin: look at the phone, then let it in. */
  async start() {
    this.#screen('pair');
    makeWorkAlone();
    this.capable = capabilities();
    this.signIn.begin().catch((error) => toast(error.message));
    this.choice.can = await this.capable;
    this.player.warm(this.choice.current);
    this.choice.dispatchEvent(new Event('change'));
  }

  #enter(isPhoto) {
    this.open('camera');
    byId('tabs').hidden = false;
    if (isPhoto) this.tools.choosePhoto();
    else this.startLoop();
    const { current } = this.library;
    if (current && !this.player.live) this.installer.play(current);
  }

  /** Call the studio now; a phone that it does not know pairs first. */
  reconnect() {
    if (this.facts.allowedAt) {
      this.link.start();
      return;
    }
    this.#screen('pair');
    this.signIn.begin().catch((error) => toast(error.message));
  }

  async startCamera() {
    await this.signIn.openCamera();
    const check = this.doctor.checks.get('camera');
    if (check.state === 'failed') toast(`${check.title}. ${check.text}`);
  }

  startLoop() {
    this.tools.live();
    this.loop.start();
    this.benches.soon();
  }

  /** Show a tab; pictures run on, so that the studio's preview does. */
  open(tab) {
    this.tab = tab;
    this.#screen(tab);
    this.update();
  }

  #screen(name) {
    for (const view of ['pair', 'camera', 'edits', 'phone']) byId(view).hidden = view !== name;
    for (const tab of ['camera', 'edits', 'phone']) {
      const button = byId(`tab-${tab}`);
      button.setAttribute('aria-selected', String(tab === name));
      button.tabIndex = tab === name ? 0 : -1;
    }
    // Dark while the camera is on the screen, else as the phone likes it.
    const isLight = name !== 'camera' && matchMedia('(prefers-color-scheme: light)').matches;
    document.documentElement.dataset.theme = isLight ? 'light' : 'dark';
    this.signIn.update();
  }

  update() {
    if (this.tab === 'camera') this.cameraView.update();
    if (this.tab === 'edits') this.editsView.update();
    if (this.tab === 'phone') this.phoneView.update();
  }

  async pick(id, concept = '') {
    if (concept) await this.switcher.show(id, { first: concept });
    else await this.installer.play(id);
  }

  /** Use a backend by hand; the picked one again means: the fastest. */
  async pickBackend(backend) {
    this.choice.picked = this.choice.picked === backend ? '' : backend;
    this.choice.changed();
    const edit = this.library.get(this.library.current);
    if (edit) edit.desktop = false;
    await this.installer.play(this.library.current);
    if (backend !== this.player.live?.backend && this.choice.picked) {
      toast(`${this.choice.name(backend)} does not work here.`);
    }
  }

  // ---- studio ---------------------------------------------------------------------------------

  async #hello() {
    const can = await this.capable;
    const held = await this.files.held();
    return {
      page: PAGE_VERSION,
      agent: navigator.userAgent.slice(0, 400),
      name: this.facts.name,
      cores: can.cores,
      ...(navigator.deviceMemory ? { memory_gb: navigator.deviceMemory } : {}),
      secure: globalThis.isSecureContext,
      isolated: globalThis.crossOriginIsolated === true,
      threads: can.threads,
      ...(can.gpu ? { gpu: can.gpu } : {}),
      cameras: this.camera.count,
      held: held.slice(0, 256),
    };
  }

  #greet() {
    if (!this.facts.wasOpen || this.facts.lostWhy) this.cameraView.notice('');
    this.facts.wasOpen = true;
    this.facts.lostWhy = '';
    this.doctor.repeat();
    this.switcher.repeat();
    this.update();
  }

  #heard(message) {
    const deeds = {
      welcome: () => this.#welcome(message),
      offer: () => this.installer.offer(message),
      concept: () => this.switcher.asked(message),
      remove: () => this.installer.remove(message.id),
      bench: () => this.benches.asked(message),
      live: () => this.#live(message),
      bye: () => this.#bye(message.why),
    };
    deeds[message.t]?.();
  }

  #welcome({ studio, preview_fps: fps }) {
    this.facts.studio = studio;
    localStorage.setItem('fretsaw.studio', studio);
    this.preview.wish.fps = fps ?? 8;
    this.update();
  }

  #live({ on = true, fps = 8, quality = 0.8, backend = '', split = false }) {
    this.preview.wish = { on, fps, quality, split };
    if ((backend ?? '') === this.choice.asked) return;
    this.choice.asked = backend ?? '';
    this.choice.dispatchEvent(new Event('change'));
    const { live } = this.player;
    if (live && this.choice.current !== live.backend) this.installer.play(live.id);
  }

  /** The studio ended the connection on purpose: calling again at once would only annoy it. */
  #bye(why) {
    this.link.end(why || 'The studio ended the connection.');
  }

  async #lost({ why, final }) {
    this.facts.lostWhy = why || this.facts.lostWhy;
    this.choice.asked = '';
    if (final) toast(why);
    this.update();
    const state = await pairState();
    if (state !== 'unknown' && state !== 'refused') return;
    this.link.stop();
    this.facts.allowedAt = '';
    this.facts.lostWhy = 'Pair again with a new code';
    this.update();
    this.cameraView.notice('Not paired. Open the studio and pair again.');
  }

  #sayChosen() {
    const { live } = this.player;
    if (live) this.switcher.sayChosen(live.id, live.mix);
  }

  #note(id, note) {
    const isSent = this.link.say('note', { id, ...note });
    toast(isSent ? 'The studio has your note.' : 'The studio cannot be reached. Send it later.');
    return isSent;
  }

  // ---- frames and seconds ---------------------------------------------------------------------

  #painted({ total, live }) {
    if (this.#hasTrouble) this.cameraView.notice('');
    this.#hasTrouble = false;
    if (byId('shutter').disabled) this.cameraView.update();
    this.preview.offer(total, live.offer.input.width);
  }

  async #second() {
    const { live } = this.player;
    const edit = live && this.library.get(live.id);
    if (edit && this.stats.count >= 5) edit.ms = this.stats.median;
    this.cameraView.pace(this.stats, this.facts.isMeasuring, this.loop.isStill);
    await this.benches.watch();
    if (this.tab !== 'phone') return;
    this.facts.space = await this.files.space();
    if (this.link.isOpen) await this.#ping();
    this.phoneView.update();
  }

  async #ping() {
    const began = performance.now();
    if ((await pairState()) !== 'allowed') return;
    const took = performance.now() - began;
    this.facts.awayMs = Math.min(took, this.facts.awayMs ?? took);
  }

  #canShrink() {
    const shape = this.player.live?.shape ?? [];
    return !this.side && typeof shape[2] === 'string' && typeof shape[3] === 'string';
  }

  // ---- leaving --------------------------------------------------------------------------------

  async clear() {
    this.player.stop();
    this.stats.reset();
    this.library.clear();
    await this.files.clear();
    toast('All edits are off this phone. The studio can push them again.');
    this.update();
  }

  async forget() {
    await this.clear();
    this.link.stop();
    this.camera.close();
    this.loop.stop();
    localStorage.clear();
    forgetSession();
    location.replace('/');
  }
}

const app = new App();
app.start();
