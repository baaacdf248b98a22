// The current theme, light or dark, and its colours for drawing on a canvas.
import { interpolate } from './colour';
import { grey, sequential, type Palette } from './palettes';

class Ground {
  theme = $state<'dark' | 'light'>('dark');
  paper = $state('#000000');
  // The colours below and above zero, distinguishable in deuteranopia.
  #against = $state('#000000');
  #for = $state('#000000');

  constructor() {
    this.read();
    // The theme changes with the control in the header, and with the system's theme.
    document.addEventListener('change', () => requestAnimationFrame(() => this.read()));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.read());
  }

  read(): void {
    const style = getComputedStyle(document.documentElement);
    this.theme = style.colorScheme.includes('light') ? 'light' : 'dark';
    [this.paper, this.#against, this.#for] = ['paper', 'against', 'for'].map((role) =>
      style.getPropertyValue(`--${role}`).trim(),
    );
  }

  // Zero has the background colour in the palette of signed values.
  palette(name: 'sequential' | 'signed' | 'grey'): Palette {
    if (name === 'signed') return interpolate([this.#against, this.paper, this.#for]);
    return name === 'grey' ? grey : sequential;
  }
}

export const ground = new Ground();
