// Shows the page as a presentation: the first screen alone, with text and maps large enough for a projector, in full screen if
// the browser allows it.
import { type } from './type.svelte';

const SCALE_AT_1080 = 1.35; // scale of the text in a window of 1920 × 1080
const MIN_SCALE = 1.1;

export function scaleFor(width: number, height: number): number {
  return Math.max(MIN_SCALE, SCALE_AT_1080 * Math.min(width / 1920, height / 1080));
}

class Presentation {
  on = $state(false);

  readonly #fit = () => type.set(scaleFor(innerWidth, innerHeight));
  readonly #follow = () => {
    if (document.fullscreenElement === null) this.leave(); // the reader left full screen by the browser's own key
  };

  async enter(): Promise<void> {
    if (this.on) return;
    this.on = true;
    document.documentElement.dataset.presenting = '';
    scrollTo(0, 0);
    this.#fit();
    window.addEventListener('resize', this.#fit);
    try {
      await document.documentElement.requestFullscreen();
      if (this.on) document.addEventListener('fullscreenchange', this.#follow);
      else await document.exitFullscreen(); // left while the browser prepared it
    } catch {
      // Some frames, such as a notebook's, do not allow full screen; the page then fills the window.
    }
  }

  leave(): void {
    if (!this.on) return;
    this.on = false;
    document.removeEventListener('fullscreenchange', this.#follow);
    window.removeEventListener('resize', this.#fit);
    delete document.documentElement.dataset.presenting;
    type.set(1);
    if (document.fullscreenElement !== null) document.exitFullscreen().catch(() => undefined); // full screen has ended already
  }

  toggle(): void {
    if (this.on) this.leave();
    else void this.enter();
  }

  // Handles keys: F starts and ends the presentation, except in a text field; Escape ends it and closes nothing else.
  press(event: KeyboardEvent): void {
    const { target, key } = event;
    if (event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented) return;
    if (key === 'Escape' && this.on) {
      event.stopImmediatePropagation();
      this.leave();
    } else if (key.toLowerCase() === 'f' && !(target instanceof Element && target.closest(TEXT_FIELDS) !== null)) {
      event.preventDefault();
      this.toggle();
    }
  }
}

const TEXT_FIELDS = 'input:not([type="range"], [type="checkbox"], [type="radio"]), textarea, select, [contenteditable]';

export const presentation = new Presentation();
