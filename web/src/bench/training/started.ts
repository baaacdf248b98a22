// A training that was started in this visit, and its result for the lessons.
import { accuracyOf, type EpochPoint } from '../../training/epoch';
import type { TrainingResult } from '../../state/last_results.svelte';
import type { Conditions } from '../../training/conditions';
import { sameAugmentation } from '../../training/experiments';
import type { Recipe } from '../../training/recipe';

export interface Started {
  recipe: Recipe;
  conditions: Conditions;
  seed: number;
  numImages: number; // number of training images
}

// Sums up a training for the lessons; null before its first epoch.
export function resultOf(
  started: Started | null,
  last: EpochPoint | undefined,
  isDone: boolean,
): TrainingResult | null {
  if (started === null || last === undefined) return null;
  const { recipe, conditions, numImages: images } = started;
  const { epoch, gap } = last;
  const [train, test] = [accuracyOf(last.train), accuracyOf(last.test)];
  const isAugmented = !sameAugmentation(recipe.augmentation, {});
  return { images, wrongLabels: conditions.wrongLabels, isAugmented, epoch, isDone, train, test, gap };
}
