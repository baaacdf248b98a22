// Predicts the embedded images with the first model, and finds its most confident mistake.
import { largest } from '../analysis/largest';
import { inPieces, type Work } from '../analysis/slices';
import { softmax } from '../engine/softmax';
import type { Bench, Subject } from './bench.svelte';

// The answer to each of several images: a class, and its probability.
export interface Answers {
  predicted: Uint8Array; // at most 100 classes
  confidence: Float32Array;
}

let cached: { subject: Subject; answers: Answers } | null = null;

// Computes the answer to each embedded image, once for the same subject.
export function* predictions(bench: Bench, subject = bench.subject): Work<Answers> {
  if (cached?.subject === subject) return cached.answers;
  const { images, models, payload } = subject;
  const size = images.shape[0] * images.shape[1] * images.shape[2];
  const answers = { predicted: new Uint8Array(images.count), confidence: new Float32Array(images.count) };
  yield* inPieces(images.count, (from, to) => {
    // The network is asked for in every piece, since one that is not used for a while is freed.
    const network = bench.network(models[0], models[0].weights, []);
    const classes = payload.evaluation.class_names.length;
    const probabilities = softmax(network.logits(images.pixels.subarray(from * size, to * size)), classes);
    for (let i = from; i < to; i++) {
      const row = probabilities.subarray((i - from) * classes, (i - from + 1) * classes);
      answers.predicted[i] = largest(row);
      answers.confidence[i] = row[answers.predicted[i]];
    }
  });
  cached = { subject, answers };
  return answers;
}

export interface Mistake {
  position: number; // of the image among those that were answered
  confidence: number;
  lessConfident: number; // correct answers with less confidence
  correct: number; // all correct answers
}

// Finds the most confident mistake among answers; null if all are correct.
export function surestMistake({ predicted, confidence }: Answers, labels: ArrayLike<number>): Mistake | null {
  const positions = Array.from(predicted, (_, i) => i);
  const wrong = positions.filter((i) => predicted[i] !== labels[i]);
  if (wrong.length === 0) return null;
  const position = wrong.reduce((best, i) => (confidence[i] > confidence[best] ? i : best));
  const correct = positions.filter((i) => predicted[i] === labels[i]);
  const lessConfident = correct.filter((i) => confidence[i] < confidence[position]).length;
  return { position, confidence: confidence[position], lessConfident, correct: correct.length };
}
