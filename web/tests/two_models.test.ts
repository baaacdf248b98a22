import { expect, test } from 'vitest';
import { tally, verdictOf, type Disagreement } from '../src/bench/models/two_models';

const one = (position: number, label: number, answers: [number, number]): Disagreement => ({
  position,
  label,
  answers,
});

test('disagreements are counted in the fair sample only, not among the mistakes behind it', () => {
  const found = [one(0, 1, [1, 2]), one(3, 1, [2, 1]), one(4, 1, [2, 3]), one(5, 1, [2, 1]), one(9, 1, [2, 1])];
  expect(found.map(verdictOf)).toEqual(['a', 'b', 'neither', 'b', 'b']);
  expect(tally(found, 5)).toEqual({ a: 1, b: 1, neither: 1 });
  expect(tally(found, 10)).toEqual({ a: 1, b: 3, neither: 1 });
});
