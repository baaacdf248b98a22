// The fewest filters whose loss changes an answer: single ones and pairs are all tried, larger sets grow greedily and are
// pruned until no member can be dropped.
import type { Network } from '../engine/network';
import type { Replacement } from '../engine/types';
import { inPieces, type Work } from './schedule';

export interface FewestFilters {
  filters: Replacement[];
  answer: number; // the new one
  exact: boolean; // no smaller set of the candidates does it
  tried: number; // lesions
}

const MOST_PAIRS = 8192; // so many are all tried

// How far the answer is ahead of the next class; at or below 0 another class is the answer.
export function lead(logits: Float32Array, at: number, classes: number, answer: number): number {
  let next = -Infinity;
  for (let k = 0; k < classes; k++) if (k !== answer) next = Math.max(next, logits[at + k]);
  return logits[at + answer] - next;
}

function answerAt(logits: Float32Array, at: number, classes: number): number {
  let best = 0;
  for (let k = 1; k < classes; k++) if (logits[at + k] > logits[at + best]) best = k;
  return best;
}

interface Tried {
  leads: Float64Array; // by lesion
  answers: Int32Array;
}

// Null where no set of the candidates that the search comes across changes the answer. `base` is lost already.
export function* fewestFilters(
  network: Network,
  image: Uint8Array,
  base: Replacement[],
  candidates: Replacement[],
): Work<FewestFilters | null> {
  const classes = network.numClasses;
  const intact = network.lesionedLogits(image, [base]);
  const answer = answerAt(intact, 0, classes);
  let tried = 0;
  let done = 0; // grows towards 1: how long a greedy search lasts is not known before

  function* attempt(sets: Replacement[][], most: number): Work<Tried> {
    const leads = new Float64Array(sets.length);
    const answers = new Int32Array(sets.length);
    const start = done;
    const pieces = inPieces(sets.length, (from, to) => {
      const some = sets.slice(from, to);
      const logits = network.lesionedLogits(
        image,
        some.map((set) => [...base, ...set]),
      );
      for (let i = 0; i < some.length; i++) {
        leads[from + i] = lead(logits, i * classes, classes, answer);
        answers[from + i] = answerAt(logits, i * classes, classes);
      }
      tried += some.length;
    });
    for (const share of pieces) yield (done = start + (most - start) * share);
    return { leads, answers };
  }
  // The lesion after which the answer is least ahead, and whether it changes the answer.
  const best = ({ leads, answers }: Tried) => {
    const least = leads.reduce((low, value, i) => (value < leads[low] ? i : low), 0);
    const changed = answers.reduce(
      (low, one, i) => (one !== answer && (low < 0 || leads[i] < leads[low]) ? i : low),
      -1,
    );
    return changed >= 0 ? { at: changed, changed: true } : { at: least, changed: false };
  };

  if (candidates.length === 0) return null;
  const singles = candidates.map((one) => [one]);
  const alone = yield* attempt(singles, 0.1);
  let found = best(alone);
  if (found.changed) return { filters: singles[found.at], answer: alone.answers[found.at], exact: true, tried };
  let set = singles[found.at];

  const numPairs = (candidates.length * (candidates.length - 1)) / 2;
  const allPairs = numPairs <= MOST_PAIRS;
  if (allPairs && numPairs > 0) {
    const pairs = candidates.flatMap((one, i) => candidates.slice(i + 1).map((other) => [one, other]));
    const together = yield* attempt(pairs, 0.6);
    found = best(together);
    if (found.changed) return { filters: pairs[found.at], answer: together.answers[found.at], exact: true, tried };
    set = pairs[found.at];
  }
  while (!found.changed && set.length < candidates.length) {
    const grown = candidates.filter((one) => !set.includes(one)).map((one) => [...set, one]);
    const result = yield* attempt(grown, done + (0.95 - done) / 4);
    found = best(result);
    set = grown[found.at];
  }
  if (!found.changed) return null;
  for (;;) {
    const smaller = set.map((_, i) => set.filter((_, j) => j !== i));
    const result = yield* attempt(smaller, done + (1 - done) / 4);
    found = best(result);
    if (!found.changed) break;
    set = smaller[found.at];
  }
  const final = network.lesionedLogits(image, [[...base, ...set]]);
  // Where all pairs failed, a set of three that does it is one of the fewest.
  return { filters: set, answer: answerAt(final, 0, classes), exact: allPairs && set.length <= 3, tried };
}
