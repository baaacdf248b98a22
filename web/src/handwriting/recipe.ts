// The settings of the preparation for a data set, as convscope.data.handwriting determines them.

export const STEPS = ['polarity', 'light', 'ink', 'specks', 'deslant', 'crop', 'scale', 'contrast', 'centre'] as const;
export type StepName = (typeof STEPS)[number];

// Steps that are off by default. MNIST's digits are not deslanted.
export const OPTIONAL: readonly StepName[] = ['deslant'];

export type Ink = 'light' | 'dark';

export interface Handwriting {
  ink: Ink; // the colour of the ink; the other is the background
  target: number; // pixels of the longer side of the ink
  threshold: number; // a pixel is ink from this share of the strongest pixel
  centre: boolean; // images show one object of a fixed size in the centre of a plain background
}

export function defaultSteps(handwriting: Handwriting): StepName[] {
  return handwriting.centre ? STEPS.filter((step) => !OPTIONAL.includes(step)) : [];
}
