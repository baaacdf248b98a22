// Accuracy on a sample of images, with and without ablations.
import type { Network } from '../engine/network';
import type { Replacement } from '../engine/types';
import { inPieces, part, type Work } from './schedule';

export interface Change {
  n: number;
  before: number; // right answers
  after: number;
  broken: number; // right before and wrong after
  mended: number;
}

export function isRight(logits: Float32Array, i: number, label: number, classes: number): boolean {
  const own = logits[i * classes + label];
  for (let k = 0; k < classes; k++) {
    const logit = logits[i * classes + k];
    // Of equal logits the first is the answer.
    if (k !== label && (logit > own || (logit === own && k < label))) return false;
  }
  return true;
}

export function changeOf(before: Uint8Array, after: Uint8Array): Change {
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
  pixels: Uint8Array; // (N, H, W, C) and perhaps more
  labels: ArrayLike<number>;
  numSample: number;
}

const MAX_NUMBERS = 1 << 18; // logits that one call of the engine computes

// By ablation: 1 for each image of the sample that is classified correctly. Layers before an ablation are computed once.
export function* rightAnswers(network: Network, sample: Sample, ablations: Replacement[][]): Work<Uint8Array[]> {
  const { pixels, labels, numSample } = sample;
  const size = pixels.length / labels.length;
  const classes = network.numClasses;
  const right = ablations.map(() => new Uint8Array(numSample));
  const maxImages = Math.max(1, Math.floor(MAX_NUMBERS / (classes * ablations.length)));
  yield* inPieces(
    numSample,
    (from, to) => {
      const logits = network.ablationLogits(pixels.subarray(from * size, to * size), ablations);
      for (let l = 0; l < ablations.length; l++) {
        for (let i = from; i < to; i++) {
          const row = l * (to - from) + i - from;
          right[l][i] = Number(isRight(logits, row, labels[i], classes));
        }
      }
    },
    maxImages,
  );
  return right;
}

const TOGETHER = 16; // ablations in one call of the engine

// By ablation: which images change from correct to wrong or back, compared with `base`, which every ablation includes.
export function* changes(
  network: Network,
  sample: Sample,
  base: Replacement[],
  ablations: Replacement[][],
): Work<Change[]> {
  const result: Change[] = [];
  const groups = Math.max(1, Math.ceil(ablations.length / TOGETHER));
  let before: Uint8Array | null = null;
  for (let g = 0; g < groups; g++) {
    const some = ablations.slice(g * TOGETHER, (g + 1) * TOGETHER).map((ablation) => [...base, ...ablation]);
    const work = rightAnswers(network, sample, before === null ? [base, ...some] : some);
    const right: Uint8Array[] = yield* part(work, g / groups, (g + 1) / groups);
    const intact: Uint8Array = (before ??= right.shift()!);
    result.push(...right.map((after) => changeOf(intact, after)));
  }
  return result;
}
