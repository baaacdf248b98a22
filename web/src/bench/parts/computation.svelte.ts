// A long computation that a view waits for: its result, its progress, and a way to stop it.
//   start ──▶ running ──▶ done (`value`) or failed (`failure`)
//               ├─ stop, by the reader ──▶ `stopped`
//               └─ cancel or another start ──▶ its result is dropped
import { inSlices, type Work } from '../../analysis/slices';

const SHOWN_AFTER_MS = 1000; // shorter computations show no progress

export class Computation<T> {
  value = $state.raw<T | null>(null); // the result of the last finished computation
  progress = $state<number | null>(null); // from 0 to 1, after SHOWN_AFTER_MS
  running = $state(false);
  stopped = $state(false); // stopped by the reader
  failure = $state(''); // the message of its error; empty without one
  #abort: AbortController | null = null;

  // Starts anew and cancels what was running. With `keep` the old value stays until the new one is ready.
  start(work: () => Work<T>, keep = false): void {
    this.cancel();
    const abort = (this.#abort = new AbortController());
    const since = performance.now();
    this.running = true;
    this.stopped = false;
    this.failure = '';
    if (!keep) this.value = null;
    const onprogress = (done: number): void => {
      if (!abort.signal.aborted && performance.now() - since > SHOWN_AFTER_MS) this.progress = done;
    };
    // Returns false for a computation that was cancelled, whose result is not shown.
    const end = (): boolean => {
      if (abort.signal.aborted) return false;
      this.running = false;
      this.progress = null;
      return true;
    };
    inSlices(lazily(work), abort.signal, onprogress).then(
      (value) => {
        if (end()) this.value = value;
      },
      (error: unknown) => {
        if (end()) this.failure = error instanceof Error ? error.message : String(error);
      },
    );
  }

  cancel(): void {
    this.#abort?.abort();
    this.#abort = null;
    this.running = false;
    this.progress = null;
  }

  // Cancels for the reader, to whom the view then offers to start again.
  stop(): void {
    this.stopped = this.running;
    this.cancel();
  }
}

// Calls `work` in the first slice, so that its failure is reported like a later one.
function* lazily<T>(work: () => Work<T>): Work<T> {
  return yield* work();
}
