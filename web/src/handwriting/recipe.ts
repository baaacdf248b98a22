// How an image of a data set is made from a picture: the same as convscope.data.handwriting, which finds it.

export const STEPS = ['polarity', 'light', 'ink', 'specks', 'deslant', 'crop', 'scale', 'contrast', 'centre'] as const;
export type StepName = (typeof STEPS)[number];

// The steps that are only taken when they are asked for: MNIST's digits slant as they were written.
export const OPTIONAL: readonly StepName[] = ['deslant'];

export type Ink = 'light' | 'dark';

export interface Handwriting {
  ink: Ink; // which of the two the data set writes with, on the other as ground
  target: number; // pixels of the longer side of what is written
  threshold: number; // share of the strongest ink from which a pixel is ink
  centre: boolean; // whether its images hold one thing each, sized and centred on an even ground
}

export function defaultSteps(handwriting: Handwriting): StepName[] {
  return handwriting.centre ? STEPS.filter((step) => !OPTIONAL.includes(step)) : [];
}
