// Trainings of this visit, to compare the gap under one set of conditions with that under another.
import { accuracyOf, type EpochPoint } from '../../training/epoch';
import { augmentationText } from '../../training/experiments';
import type { Conditions } from '../../training/conditions';
import type { Recipe } from '../../training/recipe';

export interface Started {
  recipe: Recipe;
  conditions: Conditions;
  dropout: number; // before the last layer
  seed: number;
  numImages: number; // that are trained on
}

export interface Run {
  started: Started;
  epochs: EpochPoint[];
}

export interface RunRow {
  conditions: string;
  epochs: number;
  train: number; // accuracy
  test: number;
  gap: number;
}

export function conditionsText({ recipe, conditions, dropout, numImages }: Started): string {
  const parts = [`${numImages.toLocaleString('en')} images`];
  if (conditions.wrongLabels > 0) parts.push(`${Math.round(100 * conditions.wrongLabels)} % wrong labels`);
  if (dropout > 0) parts.push(`dropout ${Math.round(100 * dropout)} %`);
  const changes = augmentationText(recipe.augmentation);
  if (changes !== '') parts.push(`augmentation (${changes})`);
  return parts.join(', ');
}

// The last epoch of each training that had one.
export function rowsOf(runs: Run[]): RunRow[] {
  return runs.flatMap(({ started, epochs }) => {
    const last = epochs.at(-1);
    if (last === undefined || last.epoch === 0) return [];
    const [train, test] = [accuracyOf(last.train), accuracyOf(last.test)];
    return [{ conditions: conditionsText(started), epochs: last.epoch, train, test, gap: last.gap }];
  });
}
