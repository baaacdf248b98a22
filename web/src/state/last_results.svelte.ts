// The last results of instruments that have their own state. Lessons read them.

export interface TrainingResult {
  images: number; // that are trained on
  wrongLabels: number; // share
  isAugmented: boolean;
  epoch: number;
  isDone: boolean;
  train: number; // accuracy
  test: number;
  gap: number; // between the two
}

export interface StepResult {
  pixels: Uint8Array; // of the image that the step was taken on
  label: number;
  isWhole: boolean; // whether all its phases were shown
  before: number; // probability of the label
  after: number;
  loss: [before: number, after: number];
}

export interface ChangeResult {
  from: number; // classes
  wanted: number;
  isFound: boolean; // whether a change gives the wanted class
  share: number; // of the smallest change that is shown
  answer: number; // to it
  mean: number; // of the smallest change, in grey levels per pixel
}

export class LastResults {
  training = $state.raw<TrainingResult | null>(null);
  step = $state.raw<StepResult | null>(null);
  change = $state.raw<ChangeResult | null>(null);
}
