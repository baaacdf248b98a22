import { expect, test } from 'vitest';
import { confidence, percent } from '../src/bench/parts/figures';

test('what is not all and not nothing never reads as if it were, and a confidence is never all or nothing', () => {
  expect([1, 0.99999, 0.5, 0.0001, 0].map(percent)).toEqual(['100.0 %', '> 99.9 %', '50.0 %', '< 0.1 %', '0.0 %']);
  expect([1, 0.99999, 0.5, 0.0001, 0].map(confidence)).toEqual([
    '> 99.9 %',
    '> 99.9 %',
    '50.0 %',
    '< 0.1 %',
    '< 0.1 %',
  ]);
});
