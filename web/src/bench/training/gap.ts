// The gap between the accuracies on training images and on test images: its size and its explanation.
import { wilson } from '../../analysis/statistics';
import { number, say, splitOf } from '../../text/say.svelte';
import type { EpochPoint } from '../../training/epoch';

// Writes a difference of accuracies in percentage points.
export const points = (share: number): string => number(100 * share, 1);

export function gapText(point: EpochPoint, ofSplit: string): string {
  const split = splitOf(ofSplit);
  const { train, test, gap, epoch } = point;
  if (epoch === 0) return say('training.gaps.untrained');
  const [low, high] = wilson(test.correct, test.count);
  const chance = (high - low) / 2; // half the 95 % interval of the test accuracy: a smaller gap may be chance
  if (Math.abs(gap) <= chance) return say('training.gaps.chance', { n: test.count, split, points: points(chance) });
  if (gap < 0) return say('training.gaps.below', { split });
  return say('training.gaps.overfitting', { n: train.count, points: points(gap) });
}
