// The animation of the lens in which a window slides over a map: the cell that it has reached, and its speed.
export const SPEEDS = [
  { value: 4, text: '1×' },
  { value: 16, text: '4×' },
  { value: 64, text: '16×' },
] as const; // cells a second

export class Slide {
  position = $state<number | null>(null); // the cell's index in reading order; null before the start
  playing = $state(false);
  speed = $state<number>(16);

  // Plays on from the current cell; from the first one at the start and after the last.
  play(count: number): void {
    if (this.position === null || this.position >= count - 1) this.position = 0;
    this.playing = true;
  }

  step(count: number): void {
    this.playing = false;
    this.position = this.position === null ? 0 : (this.position + 1) % count;
  }

  // Moves on by a number of cells, and stops at the last of `count`.
  advance(cells: number, count: number): void {
    if (this.position === null) return;
    this.position = Math.min(count - 1, this.position + cells);
    if (this.position === count - 1) this.playing = false;
  }

  stop(): void {
    this.playing = false;
    this.position = null;
  }
}
