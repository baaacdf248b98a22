// The shown output of every layer. A layer with softmax shows the logits, since the probabilities are shown beside it.
import type { Forward } from '../../engine/network';
import type { LayerRow } from '../../engine/types';

export interface ShownOutput {
  values: ArrayLike<number>; // (pixels, maps)
  signed: boolean; // the values can be negative for some image and weights; after relu they cannot
}

// True for a layer that computes logits and applies softmax itself.
export const showsLogits = ({ layer }: LayerRow): boolean =>
  layer.kind !== 'Activation' && layer.activation === 'softmax';

export function shownOutputs(table: LayerRow[], signed: boolean[], forward: Forward): ShownOutput[] {
  return table.map((row, i) =>
    showsLogits(row) ? { values: forward.logits, signed: true } : { values: forward.activations[i], signed: signed[i] },
  );
}
