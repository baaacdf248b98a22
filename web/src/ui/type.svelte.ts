// How large the text of the first screen is, as a multiple of 15 px: larger while the page fills a projector.

class Type {
  scale = $state(1);

  set(scale: number): void {
    this.scale = scale;
    document.documentElement.style.setProperty('--type', String(scale));
  }
}

export const type = new Type();
