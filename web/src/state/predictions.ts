// Predicts the embedded images with the first model.
import { largest } from '../analysis/largest';
import { inPieces, type Work } from '../analysis/slices';
import type { Bench, Subject } from './bench.svelte';

let cached: { subject: Subject; predicted: Uint8Array } | null = null;

// Computes the prediction of each embedded image, once for the same subject.
export function* predictions(bench: Bench, subject = bench.subject): Work<Uint8Array> {
  if (cached?.subject === subject) return cached.predicted;
  const { images, models, payload } = subject;
  const size = images.shape[0] * images.shape[1] * images.shape[2];
  const predicted = new Uint8Array(images.count); // at most 100 classes
  yield* inPieces(images.count, (from, to) => {
    // The network is asked for in every piece, since one that is not used for a while is freed.
    const network = bench.network(models[0], models[0].weights, []);
    const logits = network.logits(images.pixels.subarray(from * size, to * size));
    const classes = payload.evaluation.class_names.length;
    for (let i = from; i < to; i++) {
      predicted[i] = largest(logits.subarray((i - from) * classes, (i - from + 1) * classes));
    }
  });
  cached = { subject, predicted };
  return predicted;
}
