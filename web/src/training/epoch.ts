// Accuracy after an epoch, on training images and on test images.
import type { Network, TrainingData } from '../engine/network';
import type { ChosenImages } from './conditions';
import { measuring, type Labelled, type Score } from './score';

export const MAX_MEASURED = 2000; // training images that are measured: of more, the first ones drawn, balanced over the classes

export interface EpochPoint {
  epoch: number; // how many are done; 0 is the untrained network
  step: number;
  train: Score; // with the labels given to the images, right or wrong, and without augmentation or dropout
  test: Score; // on the sample of test images
  gap: number; // train accuracy - test accuracy
}

export const accuracyOf = ({ right, count }: Score): number => right / count;

// Measures a few images at a time, and yields progress.
export function* measuringEpoch(
  network: Network,
  data: TrainingData,
  chosen: ChosenImages,
  sample: Labelled,
  classes: number,
  at: { epoch: number; step: number },
): Generator<number, EpochPoint, void> {
  const count = Math.min(chosen.indices.length, MAX_MEASURED);
  const images = data.images(chosen.indices.subarray(0, count));
  const train = yield* measuring(network, images, chosen.labels.subarray(0, count), classes);
  const test = yield* measuring(network, sample.images, sample.labels, classes);
  return { ...at, train, test, gap: accuracyOf(train) - accuracyOf(test) };
}
