// The preparation of pictures for a data set, as convscope.data.handwriting determines it.

export const STEPS = ['polarity', 'light', 'ink', 'specks', 'deslant', 'crop', 'scale', 'contrast', 'centre'] as const;
export type StepName = (typeof STEPS)[number];

// Steps that are off by default. MNIST's digits are not deslanted.
export const OPTIONAL: readonly StepName[] = ['deslant'];

export type Ink = 'light' | 'dark';

export interface Handwriting {
  ink: Ink; // the colour of the ink; the other is the background
  target: number; // longer side of the ink, in pixels
  threshold: number; // a pixel is ink from this share of the strongest
  centre: boolean; // whether images show one sized and centred object on a plain background
}

export function defaultSteps(handwriting: Handwriting): StepName[] {
  return handwriting.centre ? STEPS.filter((step) => !OPTIONAL.includes(step)) : [];
}
