// Accuracy on a sample of images, with and without ablations.
import type { Network } from '../engine/network';
import type { Replacement } from '../engine/types';
import { inPieces, scaleProgress, type Work } from './slices';

export interface AccuracyChange {
  n: number; // images
  before: number; // number of correct predictions
  after: number;
  broken: number; // correct before, wrong after
  mended: number; // wrong before, correct after
}

// True if the network predicts `label` for image i.
export function isCorrect(logits: Float32Array, i: number, label: number, classes: number): boolean {
  const own = logits[i * classes + label];
  for (let k = 0; k < classes; k++) {
    const logit = logits[i * classes + k];
    // Of equal logits the first is predicted.
    if (k !== label && (logit > own || (logit === own && k < label))) return false;
  }
  return true;
}

// Compares the correct images (1) of two networks.
export function compareAccuracy(before: Uint8Array, after: Uint8Array): AccuracyChange {
  const change = { n: before.length, before: 0, after: 0, broken: 0, mended: 0 };
  for (let i = 0; i < before.length; i++) {
    change.before += before[i];
    change.after += after[i];
    if (before[i] > after[i]) change.broken++;
    if (after[i] > before[i]) change.mended++;
  }
  return change;
}

export interface Sample {
  pixels: Uint8Array; // (N, H, W, C); the first `numSample` images are the sample
  labels: ArrayLike<number>;
  numSample: number;
}

const MAX_LOGITS = 1 << 18; // logits that one call of the engine computes: 1 MiB of its memory

// Classifies the sample with each ablation: 1 for a correct image. Layers before an ablation are computed once.
export function* correctByAblation(network: Network, sample: Sample, ablations: Replacement[][]): Work<Uint8Array[]> {
  const { pixels, labels, numSample } = sample;
  const size = pixels.length / labels.length;
  const classes = network.numClasses;
  const correct = ablations.map(() => new Uint8Array(numSample));
  const maxImages = Math.max(1, Math.floor(MAX_LOGITS / (classes * ablations.length)));
  yield* inPieces(
    numSample,
    (from, to) => {
      const logits = network.ablationLogits(pixels.subarray(from * size, to * size), ablations);
      for (let l = 0; l < ablations.length; l++) {
        for (let i = from; i < to; i++) {
          const row = l * (to - from) + (i - from); // of the logits (ablations, images, classes)
          correct[l][i] = Number(isCorrect(logits, row, labels[i], classes));
        }
      }
    },
    maxImages,
  );
  return correct;
}

const MAX_ABLATIONS = 16; // ablations in one call of the engine

// Counts for each ablation how many images become wrong or correct when it is added to `base`.
export function* accuracyChanges(
  network: Network,
  sample: Sample,
  base: Replacement[],
  ablations: Replacement[][],
): Work<AccuracyChange[]> {
  const result: AccuracyChange[] = [];
  const groups = Math.max(1, Math.ceil(ablations.length / MAX_ABLATIONS));
  let before: Uint8Array | null = null;
  for (let g = 0; g < groups; g++) {
    const batch = ablations.slice(g * MAX_ABLATIONS, (g + 1) * MAX_ABLATIONS).map((ablation) => [...base, ...ablation]);
    // The first call also measures `base` alone, which is the state before each ablation.
    const work = correctByAblation(network, sample, before === null ? [base, ...batch] : batch);
    const correct: Uint8Array[] = yield* scaleProgress(work, g / groups, (g + 1) / groups);
    const intact: Uint8Array = (before ??= correct.shift()!);
    result.push(...correct.map((after) => compareAccuracy(intact, after)));
  }
  return result;
}
