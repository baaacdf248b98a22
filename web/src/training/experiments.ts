// Experiments that show overfitting, each started by one click, and the changes of images that a reader can choose between.
import type { Augmentation, Shape } from '../engine/types';
import { ALL_IMAGES, type Conditions } from './conditions';
import { memorising, type Recipe } from './recipe';

export type AugmentationName = 'none' | 'shifts' | 'all';

// By name, for images of this size; as strong as is usual for 28 × 28.
export function augmentations([height, width]: Shape): Record<AugmentationName, Augmentation> {
  const shift = Math.max(1, Math.round(Math.min(height, width) / 14));
  return {
    none: {},
    shifts: { shift },
    all: { shift, rotation: 12, scale: 0.12, shear: 8 },
  };
}

const without = ([name, value]: [string, number]) => name !== 'elastic_sigma' && value > 0;

export function sameAugmentation(one: Augmentation, other: Augmentation): boolean {
  const parts = (of: Augmentation) => JSON.stringify(Object.entries(of).filter(without).sort());
  return parts(one) === parts(other);
}

// "shift 2, rotation 12", or nothing where images stay as they are.
export function augmentationText(augmentation: Augmentation): string {
  const changes = Object.entries(augmentation).filter(without);
  return changes.map(([name, value]) => `${name.replace('_', ' ')} ${value}`).join(', ');
}

export interface Experiment {
  id: string;
  text: string;
  recipe: Recipe;
  conditions: Conditions;
}

const FEW = 100;
const WRONG = 0.3;

export function experiments(shape: Shape, own: Recipe): Experiment[] {
  const few = { images: FEW, wrongLabels: 0 };
  return [
    { id: 'few', text: `${FEW} images`, recipe: memorising, conditions: few },
    {
      id: 'augmented',
      text: `${FEW} images with augmentation`,
      recipe: { ...memorising, augmentation: augmentations(shape).all },
      conditions: few,
    },
    {
      id: 'wrong',
      text: `${FEW} images, ${100 * WRONG} % wrong labels`,
      recipe: memorising,
      conditions: { ...few, wrongLabels: WRONG },
    },
    { id: 'all', text: 'All images', recipe: own, conditions: ALL_IMAGES },
  ];
}
