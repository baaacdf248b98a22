// The settings of a training in the page.
import type { Augmentation, Optimizer, WrittenRecipe } from '../engine/types';
import type { Schedule } from './schedule';

export interface Recipe {
  name: string;
  epochs: number;
  batchSize: number;
  learningRate: number;
  optimizer: Optimizer;
  schedule: Schedule;
  labelSmoothing: number;
  classWeights?: number[] | 'balanced'; // a factor of the loss for each class; balanced: classes count alike
  clipNorm?: number;
  augmentation: Augmentation;
}

// One epoch with a large, decaying learning rate: the Python package's recipe of that name.
export const fast: Recipe = {
  name: 'fast',
  epochs: 1,
  batchSize: 64,
  learningRate: 0.012,
  optimizer: { kind: 'Adam', beta_1: 0.9, beta_2: 0.98, epsilon: 1e-7 },
  schedule: { kind: 'linear', warmup: 0.1 },
  labelSmoothing: 0.1,
  augmentation: { shift: 1 },
};

// Enough small steps to memorise a few hundred images, without anything that reduces overfitting.
export const memorising: Recipe = {
  name: 'memorising',
  epochs: 30,
  batchSize: 16,
  learningRate: 0.002,
  optimizer: { kind: 'Adam', beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 },
  schedule: { kind: 'constant', warmup: 0 },
  labelSmoothing: 0,
  augmentation: {},
};

// A setting of a run's recipe that the page does not support.
export interface UnsupportedSetting {
  what: 'averaging' | 'bits' | 'validation' | 'stopping' | 'precision';
  precision: string; // the number format that the run computed in
}

// Reads a run's recipe: the settings that the page supports, and a list of the others.
export function parseRecipe(written: WrittenRecipe): { recipe: Recipe; leftOut: UnsupportedSetting[] } {
  const { learning_rate: learningRate, ...optimizer } = written.optimizer;
  const recipe: Recipe = {
    name: written.name,
    epochs: written.epochs,
    batchSize: written.batch_size,
    learningRate: Number(learningRate),
    optimizer: optimizer as unknown as Optimizer,
    schedule: written.schedule as unknown as Schedule,
    labelSmoothing: written.label_smoothing,
    augmentation: written.augmentation,
  };
  if (typeof written.clip_norm === 'number') recipe.clipNorm = written.clip_norm;
  const { class_weights: classWeights } = written;
  if (classWeights === 'balanced' || Array.isArray(classWeights)) {
    recipe.classWeights = classWeights as Recipe['classWeights'];
  }
  const precision = String(written.precision ?? 'float32');
  const leftOut: UnsupportedSetting[] = [];
  if (Number(written.averaging ?? 0) > 0) leftOut.push({ what: 'averaging', precision });
  if (written.weight_bits != null) leftOut.push({ what: 'bits', precision });
  if (Number(written.validation_fraction ?? 0) > 0) leftOut.push({ what: 'validation', precision });
  if (written.early_stopping != null) leftOut.push({ what: 'stopping', precision });
  if (precision !== 'float32') leftOut.push({ what: 'precision', precision });
  return { recipe, leftOut };
}

// Writes a recipe as `convscope train` does into a model's provenance.
export function writeRecipe(recipe: Recipe): WrittenRecipe {
  const { kind, ...optimizer } = recipe.optimizer;
  return {
    name: recipe.name,
    epochs: recipe.epochs,
    batch_size: recipe.batchSize,
    optimizer: { kind, learning_rate: recipe.learningRate, ...optimizer },
    schedule: { ...recipe.schedule },
    label_smoothing: recipe.labelSmoothing,
    class_weights: recipe.classWeights ?? null,
    augmentation: { ...recipe.augmentation },
    clip_norm: recipe.clipNorm ?? null,
  };
}

// Computes the weight of each class for images with these labels; undefined if all are 1. 'balanced': n / (classes present *
// images of the class), as in the Python package. Source: King and Zeng 2001.
export function classWeightsFor(
  { classWeights }: Recipe,
  labels: ArrayLike<number>,
  classes: number,
): number[] | undefined {
  if (classWeights !== 'balanced') return classWeights;
  const counts = new Array<number>(classes).fill(0);
  for (let i = 0; i < labels.length; i++) counts[labels[i]]++;
  const share = labels.length / counts.filter((count) => count > 0).length;
  return counts.map((count) => (count > 0 ? share / count : 1));
}
