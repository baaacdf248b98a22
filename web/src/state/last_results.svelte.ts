// The last results of instruments that keep their own state, for the lessons.

export interface TrainingResult {
  images: number; // number of training images
  wrongLabels: number; // share of wrong labels
  isAugmented: boolean;
  epoch: number;
  isDone: boolean;
  train: number; // accuracy
  test: number;
  gap: number; // train accuracy - test accuracy
}

export interface StepResult {
  pixels: Uint8Array; // the image on which the step was taken
  label: number;
  isWhole: boolean; // all phases of the step were shown
  isAgainst: boolean; // no weight moved along its gradient
  before: number; // probability of the label before the step
  after: number; // and after it
  loss: [before: number, after: number];
}

export interface ChangeResult {
  from: number; // the class predicted for the image itself
  wanted: number; // the class that the change aims at
  isFound: boolean; // a change that gives the wanted class was found
  share: number; // the shown multiple of the smallest change
  prediction: number; // the prediction for the shown change
  mean: number; // mean size of the smallest change, in grey levels per pixel
}

export class LastResults {
  training = $state.raw<TrainingResult | null>(null);
  step = $state.raw<StepResult | null>(null);
  change = $state.raw<ChangeResult | null>(null);
}
