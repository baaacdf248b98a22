import { describe, expect, test } from 'vitest';
import { factors } from '../src/training/schedule';

describe('the factors of a schedule', () => {
  test('rise in the warm-up, and the first step after it is in full', () => {
    const linear = factors({ kind: 'linear', warmup: 0.25 }, 8);
    [0.5, 1, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6].forEach((factor, i) => expect(linear[i]).toBeCloseTo(factor, 14));
  });

  test('are those of the Python package for a cosine and for one cycle', () => {
    // Schedule("cosine", 0.3).factors(5) and Schedule("one_cycle", 0.3).factors(10) of convscope.
    const cosine = [0.5, 1.0, 1.0, 0.75, 0.25];
    const cycle = [
      0.04, 0.28, 0.76, 1.0, 0.9504844339512095, 0.8117449009293668, 0.6112604669781572, 0.3887395330218429,
      0.18825509907063326, 0.049515566048790485,
    ];
    factors({ kind: 'cosine', warmup: 0.3 }, 5).forEach((factor, i) => expect(factor).toBeCloseTo(cosine[i], 12));
    factors({ kind: 'one_cycle', warmup: 0.3 }, 10).forEach((factor, i) => expect(factor).toBeCloseTo(cycle[i], 12));
  });

  test('round half a step of warm-up to the even neighbour, as Python does', () => {
    expect(factors({ kind: 'linear', warmup: 0.5 }, 5)[0]).toBe(1 / 2); // 2.5 steps are 2
    expect(factors({ kind: 'linear', warmup: 0.5 }, 7)[0]).toBe(1 / 4); // 3.5 steps are 4
  });

  test('stay at one without warm-up or way down, also for a single step', () => {
    expect([...factors({ kind: 'constant', warmup: 0 }, 3)]).toEqual([1, 1, 1]);
    expect([...factors({ kind: 'linear', warmup: 0 }, 1)]).toEqual([1]);
  });
});
