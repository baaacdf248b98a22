// The effect of single ablations on the prediction of one image.
import type { Network } from '../engine/network';
import type { Replacement } from '../engine/types';
import { weigh } from './attribution';
import { inPieces, type Work } from './slices';

// Computes for each ablation how far the weighted sum of logits falls when the ablation is added to those in `base`.
export function* imageEffects(
  network: Network,
  image: Uint8Array,
  base: Replacement[],
  ablations: Replacement[][],
  weights: Float32Array,
): Work<Float32Array> {
  const before = weigh(network.ablationLogits(image, [base]), 0, weights);
  const falls = new Float32Array(ablations.length);
  yield* inPieces(ablations.length, (from, to) => {
    const batch = ablations.slice(from, to).map((ablation) => [...base, ...ablation]);
    const logits = network.ablationLogits(image, batch);
    for (let i = from; i < to; i++) falls[i] = before - weigh(logits, (i - from) * weights.length, weights);
  });
  return falls;
}
