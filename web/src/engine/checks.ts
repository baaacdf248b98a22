// Checks batches and training steps before the engine gets them.
import type { TrainingData } from './training_data';
import type { Batch, TrainingSteps } from './types';

export function checkBatch(data: TrainingData, batch: Batch, imageBytes: number, classes: number): void {
  const { order, classWeights, key = 0, first = 0 } = batch;
  if (data.isFree) throw new Error('The images to train on have been freed.');
  if (data.imageBytes !== imageBytes) {
    throw new Error(`The images have ${data.imageBytes} bytes each; this network reads ${imageBytes}.`);
  }
  if (data.largestLabel >= classes) {
    throw new Error(`A label is ${data.largestLabel}; this network has ${classes} classes, from 0.`);
  }
  if (order.length === 0 || order.some((i) => i < 0 || i >= data.count)) {
    throw new Error(`The order must list images from 0 to ${data.count - 1}.`);
  }
  if (classWeights !== undefined) {
    const weights = Array.from(classWeights);
    if (weights.length !== classes || !weights.every((weight) => weight >= 0 && Number.isFinite(weight))) {
      throw new Error(`The class weights must be ${classes} numbers of at least 0, one for each class.`);
    }
  }
  for (const number of [key, first]) {
    if (!Number.isSafeInteger(number) || number < 0) throw new Error(`${number} is not a whole number of at least 0.`);
  }
}

// Checks the batch size and the number of learning rates; `checkBatch` checks the rest.
export function checkSteps({ order, batchSize, learningRates }: TrainingSteps): void {
  if (!Number.isInteger(batchSize) || batchSize < 1) throw new Error(`A batch cannot have ${batchSize} images.`);
  const batches = Math.ceil(order.length / batchSize);
  if (learningRates.length !== batches) {
    throw new Error(`There are ${learningRates.length} learning rates; it must be ${batches}, one for each batch.`);
  }
}
