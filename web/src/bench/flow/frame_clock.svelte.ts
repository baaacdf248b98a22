// Measures how long the last frame of the flow took: the engine's forward pass, and painting its outputs.

export class FrameClock {
  engine = $state(0); // milliseconds
  painting = $state(0); // milliseconds
  #paintedSoFar = 0; // milliseconds in the current frame
  #isScheduled = false; // `#show` is called when the frame ends
  readonly #engineMilliseconds: () => number;

  constructor(engineMilliseconds: () => number) {
    this.#engineMilliseconds = engineMilliseconds;
  }

  // Runs and times a part of a frame. The sum is shown when the frame is done.
  time<T>(work: () => T): T {
    const start = performance.now();
    const result = work();
    this.#paintedSoFar += performance.now() - start;
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      requestAnimationFrame(() => this.#show());
    }
    return result;
  }

  #show(): void {
    this.#isScheduled = false;
    this.engine = this.#engineMilliseconds();
    this.painting = this.#paintedSoFar;
    this.#paintedSoFar = 0;
  }
}
