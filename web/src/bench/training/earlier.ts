// The trainings of this visit, to compare their gaps under different conditions.
import { accuracyOf, type EpochPoint } from '../../training/epoch';
import { listed, say } from '../../text/say.svelte';
import type { Conditions } from '../../training/conditions';
import type { Recipe } from '../../training/recipe';
import { percentText } from '../parts/figures';
import { augmentationText } from './words';

export interface Started {
  recipe: Recipe;
  conditions: Conditions;
  dropout: number; // dropout before the layer that computes the logits
  seed: number;
  numImages: number; // number of training images
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
  const parts = [say('training.conditions.images', { n: numImages })];
  const { wrongLabels } = conditions;
  if (wrongLabels > 0) parts.push(say('training.conditions.wrong', { percent: percentText(wrongLabels, 0) }));
  if (dropout > 0) parts.push(say('training.conditions.dropout', { percent: percentText(dropout, 0) }));
  const changes = augmentationText(recipe.augmentation);
  if (changes !== '') parts.push(say('training.conditions.augmentation', { changes }));
  return listed(parts);
}

// Makes a row for each training with a finished epoch: its last one.
export function rowsOf(runs: Run[]): RunRow[] {
  return runs.flatMap(({ started, epochs }) => {
    const last = epochs.at(-1);
    if (last === undefined || last.epoch === 0) return [];
    const [train, test] = [accuracyOf(last.train), accuracyOf(last.test)];
    return [{ conditions: conditionsText(started), epochs: last.epoch, train, test, gap: last.gap }];
  });
}
