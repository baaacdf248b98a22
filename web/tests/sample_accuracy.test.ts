// Accuracy on a sample with ablations: which predictions they break and which they mend.
import { expect, test } from 'vitest';
import { accuracyChanges, compareAccuracy, isCorrect } from '../src/analysis/sample_accuracy';
import { atOnce } from './at_once';
import { DenseNetwork } from './dense_network';

test('of equal logits the first class is predicted', () => {
  const logits = Float32Array.of(1, 1, 0);
  expect([0, 1, 2].map((label) => isCorrect(logits, 0, label, 3))).toEqual([true, false, false]);
});

test('broken and mended predictions are counted separately', () => {
  const change = compareAccuracy(Uint8Array.of(1, 1, 0, 0), Uint8Array.of(0, 1, 1, 0));
  expect(change).toEqual({ n: 4, before: 2, after: 2, broken: 1, mended: 1 });
});

test('each ablation is compared with the same base, however many there are', () => {
  // Unit k copies pixel k and raises the logit of class k.
  const eye = [0, 1, 2].map((i) => [0, 1, 2].map((k) => Number(i === k)));
  const network = new DenseNetwork({ kernel: eye, bias: [0, 0, 0] }, { kernel: eye, bias: [0.5, 0, 0] });
  const sample = {
    pixels: Uint8Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0),
    labels: [0, 1, 2, 1],
    numSample: 3, // the fourth image is not in the sample
  };
  const ablations = Array.from({ length: 40 }, (_, i) => [{ layer: 'hidden', filter: i % 3, value: 0 }]);
  const result = atOnce(accuracyChanges(network.network, sample, [], ablations));
  expect(result).toHaveLength(40);
  for (const [i, change] of result.entries()) {
    // Without its unit class 0 still has its bias.
    expect(change).toEqual({ n: 3, before: 3, after: i % 3 === 0 ? 3 : 2, broken: i % 3 === 0 ? 0 : 1, mended: 0 });
  }
});
