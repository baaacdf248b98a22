// Intervals, tests and correlations, compared with published and with obvious values.
import { expect, test } from 'vitest';
import {
  changeInterval,
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

// The images that become wrong and correct, of how many, and what base/metrics.py's `difference_interval` gives for them.
test.each([
  [10, 30, 1000, 0.008002555127786672, 0.03356654585006301],
  [0, 0, 300, -0.012642971224546037, 0.012642971224546037],
  [12, 0, 300, -0.06860421203864003, -0.0230273214879423],
  [3, 5, 300, -0.014478169992607252, 0.029742509148073012],
  [0, 300, 300, 0.9747140575509078, 1],
  [1, 0, 1, -1, 0.586901371245525],
])('the interval of a change by %i broken and %i mended of %i is that of Python', (broken, mended, n, low, high) => {
  const interval = changeInterval(broken, mended, n);
  expect(interval[0]).toBeCloseTo(low, 12);
  expect(interval[1]).toBeCloseTo(high, 12);
});

test('a change of paired images can be certain where the intervals of both accuracies overlap', () => {
  expect(changeInterval(8, 0, 300)[1]).toBeLessThan(0); // 270 correct of 300 before, 262 after
  expect(wilson(262, 300)[1]).toBeGreaterThan(270 / 300);
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
