// Intervals, tests and correlations, compared with published and with obvious values.
import { expect, test } from 'vitest';
import {
  correlation,
  cosine,
  mcnemar,
  randomNumbers,
  rankCorrelation,
  ranks,
  shuffle,
  wilson,
} from '../src/analysis/statistics';

test('the Wilson interval of 95 of 100 is the published one', () => {
  const [low, high] = wilson(95, 100);
  expect(low).toBeCloseTo(0.8882, 4);
  expect(high).toBeCloseTo(0.9785, 4);
});

test('the Wilson interval stays within 0 and 1', () => {
  expect(wilson(0, 10)[0]).toBe(0);
  expect(wilson(10, 10)[1]).toBeCloseTo(1, 12);
  expect(wilson(0, 0)).toEqual([0, 1]);
});

test("McNemar's exact test counts coin tosses", () => {
  expect(mcnemar(0, 0)).toBe(1);
  expect(mcnemar(5, 0)).toBeCloseTo(2 / 32, 12);
  expect(mcnemar(1, 4)).toBeCloseTo((2 * 6) / 32, 12);
  expect(mcnemar(3, 3)).toBe(1);
});

test('correlations are 1 for a rising line, -1 for a falling one, and 0 for a constant', () => {
  expect(correlation([1, 2, 3], [10, 20, 30])).toBeCloseTo(1, 12);
  expect(correlation([1, 2, 3], [3, 2, 1])).toBeCloseTo(-1, 12);
  expect(correlation([1, 2, 3], [5, 5, 5])).toBe(0);
  expect(cosine([1, 0], [2, 0])).toBeCloseTo(1, 12);
  expect(cosine([1, 0], [0, 3])).toBe(0);
});

test('equal numbers share a rank, and a bent but rising line has rank correlation 1', () => {
  expect([...ranks([5, 1, 5, 9])]).toEqual([1.5, 0, 1.5, 3]);
  expect(rankCorrelation([1, 2, 3, 4], [1, 8, 27, 1000])).toBeCloseTo(1, 12);
});

test('a seeded order is a permutation and repeats', () => {
  const order = () => shuffle([0, 1, 2, 3, 4, 5, 6, 7], randomNumbers(7));
  expect(order()).toEqual(order());
  expect([...order()].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect(order()).not.toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});
