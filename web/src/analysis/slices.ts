// Runs long computations in slices between frames, so that the page stays responsive.

export type Work<T> = Generator<number, T, void>; // yields progress from 0 to 1 at intervals

const SLICE_MS = 8; // half a frame of 60 a second

function pause(): Promise<void> {
  // A message arrives sooner than a timer, and frames and events run before it.
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

// Runs the work to its end. If the signal aborts it, the work's `finally` blocks run and the signal's reason is thrown.
export async function inSlices<T>(
  work: Work<T>,
  signal: AbortSignal,
  onprogress: (done: number) => void = () => {},
): Promise<T> {
  for (;;) {
    await pause();
    if (signal.aborted) {
      work.return(undefined as T);
      throw signal.reason;
    }
    const end = performance.now() + SLICE_MS;
    let done = 0;
    do {
      const step = work.next();
      if (step.done) return step.value;
      done = step.value;
    } while (performance.now() < end);
    onprogress(done);
  }
}

// Runs the work to its end at once, for work that is nearly done or short.
export function runNow<T>(work: Work<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}

const PIECE_MS = 3; // well below a slice, which ends only between pieces

// Computes `count` items in pieces of a few milliseconds. The number of items in a piece adapts to their speed.
export function* inPieces(count: number, compute: (from: number, to: number) => void, maxCount = 64): Work<void> {
  let size = 1;
  for (let from = 0; from < count;) {
    const to = Math.min(count, from + size);
    const start = performance.now();
    compute(from, to);
    const perItem = (performance.now() - start) / (to - from);
    // At most four times as many as before, since the first times are measured on few items.
    size = Math.max(1, Math.min(maxCount, 4 * size, Math.floor(PIECE_MS / Math.max(perItem, 1e-3))));
    from = to;
    yield from / count;
  }
}

// Runs a part of a longer work and scales its progress to the range from `low` to `high`.
export function* scaleProgress<T>(work: Work<T>, low: number, high: number): Work<T> {
  try {
    for (;;) {
      const step = work.next();
      if (step.done) return step.value;
      yield low + (high - low) * step.value;
    }
  } finally {
    work.return(undefined as T); // also where the longer work is aborted
  }
}
