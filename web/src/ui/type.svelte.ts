// The text size of the first screen, as a multiple of 15 px: larger during a presentation.

class Type {
  scale = $state(1);

  set(scale: number): void {
    this.scale = scale;
    document.documentElement.style.setProperty('--type', String(scale));
  }
}

export const type = new Type();
