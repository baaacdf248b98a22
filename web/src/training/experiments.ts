// Experiments that show overfitting, each started by one click, and the augmentations that a reader can choose between.
import type { Augmentation, Shape } from '../engine/types';
import { ALL_IMAGES, type Conditions } from './conditions';
import { memorising, type Recipe } from './recipe';

export type AugmentationName = 'none' | 'shifts' | 'all';

// Makes the augmentations for images of this size. At 28 × 28 the shift is 2 pixels; rotation and shear are in degrees.
export function augmentations([height, width]: Shape): Record<AugmentationName, Augmentation> {
  const shift = Math.max(1, Math.round(Math.min(height, width) / 14));
  return { none: {}, shifts: { shift }, all: { shift, rotation: 12, scale: 0.12, shear: 8 } };
}

// True for a setting that changes images by itself. `elastic_sigma` only shapes the deformation by `elastic`.
export const isChange = ([name, value]: [string, number | boolean]) => name !== 'elastic_sigma' && Number(value) > 0;

export function sameAugmentation(first: Augmentation, second: Augmentation): boolean {
  const parts = (of: Augmentation) => JSON.stringify(Object.entries(of).filter(isChange).sort());
  return parts(first) === parts(second);
}

export interface Experiment {
  id: 'few' | 'augmented' | 'wrong' | 'all';
  recipe: Recipe;
  conditions: Conditions;
}

export const FEW_IMAGES = 100;
const WRONG_SHARE = 0.3; // of the labels in the experiment 'wrong'

// Lists the experiments. `own` is the recipe of the run.
export function experiments(shape: Shape, own: Recipe): Experiment[] {
  const few = { images: FEW_IMAGES, wrongLabels: 0 };
  return [
    { id: 'few', recipe: memorising, conditions: few },
    { id: 'augmented', recipe: { ...memorising, augmentation: augmentations(shape).all }, conditions: few },
    { id: 'wrong', recipe: memorising, conditions: { ...few, wrongLabels: WRONG_SHARE } },
    { id: 'all', recipe: own, conditions: ALL_IMAGES },
  ];
}
