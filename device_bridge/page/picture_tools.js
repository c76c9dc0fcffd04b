/** The buttons around the picture: gallery, shutter, share, flip; and what pausing means for them. */
import { WakeLock, canShare, picture, readPhoto, save, share } from './shots.js';
import { byId, toast } from './dom.js';
import { isApple } from './platform.js';

export class PictureTools {
  #lock = new WakeLock();

  /**
   * @param {{loop: object, stage: object, camera: object, library: object, stats: object,
   *   cameraView: object, startCamera: () => Promise<void>}} parts
   */
  constructor(parts) {
    Object.assign(this, parts);
    byId('gallery').addEventListener('click', () => this.choosePhoto());
    byId('stage-photo').addEventListener('click', () => this.choosePhoto());
    byId('stage-start').addEventListener('click', () => this.startCamera());
    byId('photo-file').addEventListener('change', (event) => this.#photo(event.target));
    byId('shutter').addEventListener('click', () => this.#save());
    byId('share').addEventListener('click', () => this.#share());
    byId('flip').addEventListener('click', () => this.#flip());
  }

  /** The camera runs, and the stage follows it. */
  live() {
    this.stage.isMirrored = this.camera.isFront;
    this.cameraView.empty(null);
    byId('label-before').textContent = 'Camera';
    byId('flip').hidden = this.camera.count < 2;
    this.#lock.want(true);
  }

  choosePhoto() {
    if (!this.camera.isOn && !this.loop.isStill) {
      this.cameraView.empty({ text: 'Choose a photo, or start the camera.', canStart: true });
    }
    byId('photo-file').click();
  }

  async #photo(input) {
    const [file] = input.files;
    input.value = '';
    if (!file) return;
    try {
      const bitmap = await readPhoto(file);
      this.cameraView.empty(null);
      byId('label-before').textContent = 'Photo';
      byId('flip').hidden = false;
      this.stage.isMirrored = false;
      this.#lock.want(false);
      await this.loop.showStill(bitmap);
      this.cameraView.update();
    } catch (error) {
      toast(error.message);
    }
  }

  async #flip() {
    if (this.loop.isStill) {
      if (!this.camera.isOn) await this.startCamera();
      else this.#follow();
      return;
    }
    try {
      await this.camera.flip();
      this.#follow();
    } catch (error) {
      toast(error.message);
    }
  }

  #follow() {
    this.stage.dropEdit();
    this.live();
    this.loop.start();
  }

  async #save() {
    const file = await this.#file();
    save(file);
    toast(`${file.name} is among your downloads.`);
  }

  async #share() {
    const file = await this.#file();
    try {
      if (canShare(file)) await share(file);
      else {
        save(file);
        toast(`This browser does not share files. ${file.name} is among your downloads.`);
      }
    } catch (error) {
      toast(`Sharing did not work: ${error.message}`);
    }
  }

  #file() {
    const edit = this.library.get(this.library.current);
    return picture(this.stage, edit?.offer?.name ?? 'picture');
  }

  /** The page goes to the background, or comes back: the camera may have been taken away. */
  async visible(isVisible) {
    this.stats.pause();
    if (!isVisible) return;
    if (!this.loop.isStill && this.loop.isRunning) {
      this.#lock.want(true);
      if (!this.camera.isOn) await this.startCamera();
      else await this.camera.video.play().catch(() => {});
    }
  }

  /** The camera's track has ended, for instance because another app took it. */
  ended() {
    if (document.hidden) return;
    this.loop.stop();
    const text = 'The camera was taken away, perhaps by another app.';
    this.cameraView.empty({ text, canStart: true, start: 'Start it again' });
    if (!isApple()) this.startCamera();
  }
}
