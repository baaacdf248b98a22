// Test images on which two models disagree.
import { expect, test } from 'vitest';
import { tally, verdictOf, type Disagreement } from '../src/bench/models/two_models';

const disagreement = (position: number, label: number, predictions: [number, number]): Disagreement => ({
  position,
  label,
  predictions,
});

test('disagreements are counted in the fair sample only, not among the mistakes after it', () => {
  const disagreements = [
    disagreement(0, 1, [1, 2]),
    disagreement(3, 1, [2, 1]),
    disagreement(4, 1, [2, 3]),
    disagreement(5, 1, [2, 1]),
    disagreement(9, 1, [2, 1]),
  ];
  expect(disagreements.map(verdictOf)).toEqual(['a', 'b', 'neither', 'b', 'b']);
  expect(tally(disagreements, 5)).toEqual({ a: 1, b: 1, neither: 1 });
  expect(tally(disagreements, 10)).toEqual({ a: 1, b: 3, neither: 1 });
});
