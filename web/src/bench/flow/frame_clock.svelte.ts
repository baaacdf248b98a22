// The time of the last frame: the engine's pass, and painting its outputs.

export class FrameClock {
  engine = $state(0); // milliseconds
  painting = $state(0);
  #painted = 0;
  #waits = false;
  readonly #engineMilliseconds: () => number;

  constructor(engineMilliseconds: () => number) {
    this.#engineMilliseconds = engineMilliseconds;
  }

  // Runs and times a part of a frame. The sum is shown when the frame is done.
  time<T>(work: () => T): T {
    const start = performance.now();
    const result = work();
    this.#painted += performance.now() - start;
    if (!this.#waits) {
      this.#waits = true;
      requestAnimationFrame(() => this.#show());
    }
    return result;
  }

  #show(): void {
    this.#waits = false;
    this.engine = this.#engineMilliseconds();
    this.painting = this.#painted;
    this.#painted = 0;
  }
}
