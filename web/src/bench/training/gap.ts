// The gap between the accuracies on training images and on test images: the axis that shows it, and its explanation.
import { wilson } from '../../analysis/statistics';
import { number, say, splitOf } from '../../text/say.svelte';
import { accuracyOf, type EpochPoint } from '../../training/epoch';

const TIDY = 0.05; // the axis begins and ends at a multiple of this accuracy
const MIN_SPAN = 0.1; // of the axis

// Writes a difference of accuracies in percentage points.
export const points = (share: number): string => number(100 * share, 1);

// Chooses the range of the accuracy axis: that of the curves after the first fifth of the epochs, up to a multiple of
// TIDY and down to the one below the nearest, so that no curve runs along the bottom: 0.91 to 0.97 give 0.85 to 1.
export function accuracyDomain(epochs: EpochPoint[], planned: number): [number, number] {
  const settled = epochs.filter(({ epoch }) => epoch >= planned / 5);
  if (settled.length === 0) return [0, 1];
  const all = settled.flatMap(({ train, test }) => [accuracyOf(train), accuracyOf(test)]);
  // 1e-9 keeps a multiple that rounding has moved a little.
  const high = Math.max(MIN_SPAN, Math.min(1, Math.ceil(Math.max(...all) / TIDY - 1e-9) * TIDY));
  const low = Math.max(0, (Math.floor(Math.min(...all) / TIDY + 1e-9) - 1) * TIDY);
  return [Math.min(low, high - MIN_SPAN), high].map((end) => Number(end.toFixed(2))) as [number, number];
}

// Computes half the 95 % interval of the test accuracy: a smaller gap may be chance.
export function uncertainty({ test }: EpochPoint): number {
  const [low, high] = wilson(test.correct, test.count);
  return (high - low) / 2;
}

export function gapText(point: EpochPoint, ofSplit: string): string {
  const split = splitOf(ofSplit);
  const { train, test, gap, epoch } = point;
  if (epoch === 0) return say('training.gaps.untrained');
  const chance = uncertainty(point);
  if (Math.abs(gap) <= chance) {
    return say('training.gaps.chance', { n: test.count, split, points: points(chance) });
  }
  if (gap < 0) return say('training.gaps.below', { split });
  return say('training.gaps.overfitting', { n: train.count, points: points(gap) });
}
