// Compares the predictions of the run's model and of the model that it is compared with, on the embedded images.
import { inPieces, type Work } from '../../analysis/slices';
import { largest } from '../../analysis/largest';
import type { Bench } from '../../state/bench.svelte';

export function hasTwo(bench: Bench): boolean {
  return bench.models.length > 1;
}

// Makes the network of a trained model, without the epoch and the ablations on the bench.
export function trainedNetwork(bench: Bench, model: number) {
  return bench.network(bench.models[model], bench.models[model].weights, []);
}

export interface Disagreement {
  position: number; // among the embedded images
  label: number;
  predictions: [number, number]; // of the first model and of the second
}

// Finds the embedded images for which the two models make different predictions.
export function* disagreements(bench: Bench): Work<Disagreement[]> {
  const { images, classNames } = bench;
  const size = images.shape[0] * images.shape[1] * images.shape[2];
  const K = classNames.length;
  const differing: Disagreement[] = [];
  yield* inPieces(images.count, (from, to) => {
    const pixels = images.pixels.subarray(from * size, to * size);
    const logits = [0, 1].map((model) => trainedNetwork(bench, model).logits(pixels));
    for (let i = 0; i < to - from; i++) {
      const [a, b] = logits.map((rows) => largest(rows.subarray(i * K, (i + 1) * K)));
      if (a !== b) differing.push({ position: from + i, label: images.labels[from + i], predictions: [a, b] });
    }
  });
  return differing;
}

export type Verdict = 'a' | 'b' | 'neither'; // which is correct; not both, since their predictions differ

export function verdictOf({ label, predictions: [a, b] }: Disagreement): Verdict {
  return a === label ? 'a' : b === label ? 'b' : 'neither';
}

// Counts verdicts among the first `numSample` images, a fair sample. The images after them are mistakes of the first
// model, which would make it look worse than it is.
export function tally(differing: Disagreement[], numSample: number): Record<Verdict, number> {
  const counts = { a: 0, b: 0, neither: 0 };
  for (const disagreement of differing) if (disagreement.position < numSample) counts[verdictOf(disagreement)] += 1;
  return counts;
}
