// Measures the accuracy after an epoch, on training images and on test images.
import type { Network, TrainingData } from '../engine/network';
import type { ChosenImages } from './conditions';
import { measureInPieces, type Labelled, type Score } from './score';

export const MAX_MEASURED = 2000; // training images that are measured at most: the first ones drawn, balanced over the classes

export interface EpochPoint {
  epoch: number; // number of finished epochs; 0 is the untrained network
  step: number;
  train: Score; // with the labels to train with, correct or wrong; without augmentation or dropout
  test: Score; // on the sample of test images
  gap: number; // train accuracy - test accuracy
}

export const accuracyOf = ({ correct, count }: Score): number => correct / count;

// Measures a few images at a time, and yields progress.
export function* measureEpoch(
  network: Network,
  data: TrainingData,
  chosen: ChosenImages,
  sample: Labelled,
  classes: number,
  at: { epoch: number; step: number },
): Generator<number, EpochPoint, void> {
  const count = Math.min(chosen.indices.length, MAX_MEASURED);
  const images = data.images(chosen.indices.subarray(0, count));
  const train = yield* measureInPieces(network, images, chosen.labels.subarray(0, count), classes);
  const test = yield* measureInPieces(network, sample.images, sample.labels, classes);
  return { ...at, train, test, gap: accuracyOf(train) - accuracyOf(test) };
}
