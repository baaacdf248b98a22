// The trainings of this visit, to compare their gaps under different conditions.
import { accuracyOf, type EpochPoint } from '../../training/epoch';
import { listed, say } from '../../text/say.svelte';
import type { TrainingResult } from '../../state/last_results.svelte';
import type { Conditions } from '../../training/conditions';
import { sameAugmentation } from '../../training/experiments';
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

// Sums up a training for the lessons; null before its first epoch.
export function resultOf(run: Run | undefined, isDone: boolean): TrainingResult | null {
  const last = run?.epochs.at(-1);
  if (run === undefined || last === undefined) return null;
  const { recipe, conditions, numImages: images } = run.started;
  const { epoch, gap } = last;
  const [train, test] = [accuracyOf(last.train), accuracyOf(last.test)];
  const isAugmented = !sameAugmentation(recipe.augmentation, {});
  return { images, wrongLabels: conditions.wrongLabels, isAugmented, epoch, isDone, train, test, gap };
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
