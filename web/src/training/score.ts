// Measures accuracy, loss and confusion matrix on labelled images.
import { normalizerOf } from '../engine/softmax';

export interface Labelled {
  images: Uint8Array; // (N, H, W, C)
  labels: Uint8Array;
}

export interface Score {
  count: number;
  correct: number;
  loss: number; // mean cross-entropy in nats
  confusion: number[][]; // [true][predicted]
  predictions: number[]; // the predicted class of each image
}

export class Scores {
  readonly confusion: number[][];
  readonly #predictions: number[] = [];
  #correct = 0;
  #loss = 0;

  constructor(readonly classes: number) {
    this.confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  }

  // Adds the logits (N, K) and labels of N images.
  add(logits: Float32Array, labels: ArrayLike<number>): void {
    const K = this.classes;
    for (let i = 0; i < labels.length; i++) {
      const row = logits.subarray(i * K, (i + 1) * K);
      let prediction = 0;
      for (let k = 1; k < K; k++) if (row[k] > row[prediction]) prediction = k;
      const { largest, total } = normalizerOf(row);
      this.#loss += Math.log(total) + largest - row[labels[i]];
      this.confusion[labels[i]][prediction]++;
      this.#correct += prediction === labels[i] ? 1 : 0;
      this.#predictions.push(prediction);
    }
  }

  get score(): Score {
    return {
      count: this.#predictions.length,
      correct: this.#correct,
      loss: this.#loss / Math.max(this.#predictions.length, 1),
      confusion: this.confusion,
      predictions: this.#predictions,
    };
  }
}

const IMAGES_PER_CALL = 32; // few, so that the page can respond between two calls of the engine

interface Classifier {
  logits(images: Uint8Array): Float32Array; // (N, K)
}

// Scores images, a few at a time, and yields progress from 0 to 1.
export function* measureInPieces(
  network: Classifier,
  images: Uint8Array,
  labels: Uint8Array | Int32Array,
  classes: number,
): Generator<number, Score, void> {
  const scores = new Scores(classes);
  const size = images.length / labels.length;
  for (let i = 0; i < labels.length; i += IMAGES_PER_CALL) {
    const end = Math.min(i + IMAGES_PER_CALL, labels.length);
    scores.add(network.logits(images.subarray(i * size, end * size)), labels.subarray(i, end));
    yield end / labels.length;
  }
  return scores.score;
}

// Scores images in one go, as the training worker does.
export function measure(
  network: Classifier,
  images: Uint8Array,
  labels: Uint8Array | Int32Array,
  classes: number,
): Score {
  const work = measureInPieces(network, images, labels, classes);
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}
