// Which of the two grounds the page has now.
import type { Theme } from './palettes';

class Ground {
  theme = $state<Theme>('dark');
  paper = $state('#14171c');

  constructor() {
    this.read();
    // The theme changes by a control of the report's header or with the system's.
    document.addEventListener('change', () => requestAnimationFrame(() => this.read()));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.read());
  }

  read(): void {
    const style = getComputedStyle(document.documentElement);
    this.theme = style.colorScheme.includes('light') ? 'light' : 'dark';
    this.paper = style.getPropertyValue('--paper').trim() || this.paper;
  }
}

export const ground = new Ground();
