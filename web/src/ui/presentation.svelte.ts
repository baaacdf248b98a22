// The page as a presentation: the first screen alone, with type and maps large enough for a projector, on the whole screen if
// the browser allows it.
import { type } from './type.svelte';

const AT_1080 = 1.35; // scale of the text on 1920 × 1080
const LEAST = 1.1;

export function scaleFor(width: number, height: number): number {
  return Math.max(LEAST, AT_1080 * Math.min(width / 1920, height / 1080));
}

class Presentation {
  on = $state(false);

  readonly #fit = () => type.set(scaleFor(innerWidth, innerHeight));
  readonly #follow = () => {
    if (document.fullscreenElement === null) this.leave(); // the browser left it by its own key
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
      else await document.exitFullscreen();
    } catch {
      // A frame of a notebook, for example, does not allow it; then the page fills the window.
    }
  }

  leave(): void {
    if (!this.on) return;
    this.on = false;
    document.removeEventListener('fullscreenchange', this.#follow);
    window.removeEventListener('resize', this.#fit);
    delete document.documentElement.dataset.presenting;
    type.set(1);
    if (document.fullscreenElement !== null) document.exitFullscreen().catch(() => undefined); // it has ended already
  }

  toggle(): void {
    if (this.on) this.leave();
    else void this.enter();
  }

  // F starts and ends the presentation, except in a field for text; Escape ends it, and closes nothing else.
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
