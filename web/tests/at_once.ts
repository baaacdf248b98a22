// Runs the generators with which the page computes in slices, for tests.
import type { Work } from '../src/analysis/slices';

// Runs the work to its end without a pause, and returns its result.
export function atOnce<T>(work: Work<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}
