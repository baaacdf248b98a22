// What the loss of each filter by itself does to the answer for one image.
import type { Network } from '../engine/network';
import type { Replacement } from '../engine/types';
import { weigh } from './attribution';
import { inPieces, type Work } from './schedule';

// By lesion: how far the weighted sum of logits falls when `base` and the lesion are lost, against `base` alone.
export function* imageEffects(
  network: Network,
  image: Uint8Array,
  base: Replacement[],
  lesions: Replacement[][],
  weights: Float32Array,
): Work<Float32Array> {
  const before = weigh(network.lesionedLogits(image, [base]), 0, weights);
  const falls = new Float32Array(lesions.length);
  yield* inPieces(lesions.length, (from, to) => {
    const some = lesions.slice(from, to).map((lesion) => [...base, ...lesion]);
    const logits = network.lesionedLogits(image, some);
    for (let i = from; i < to; i++) falls[i] = before - weigh(logits, (i - from) * weights.length, weights);
  });
  return falls;
}
