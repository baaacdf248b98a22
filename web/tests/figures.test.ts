// Numbers as text: percentages, signs and decimal marks.
import { expect, test } from 'vitest';
import { confidence, percent, plainText, signedText, subtrahend } from '../src/bench/parts/figures';
import { numberText } from '../src/bench/parts/words';
import { chosen } from '../src/text/say.svelte';

test('rounding turns no part into 0 or 100 %, and no confidence into certainty', () => {
  expect([1, 0.99999, 0.5, 0.0001, 0].map(percent)).toEqual(['100.0 %', '> 99.9 %', '50.0 %', '< 0.1 %', '0.0 %']);
  expect([1, 0.99999, 0.5, 0.0001, 0].map(confidence)).toEqual([
    '> 99.9 %',
    '> 99.9 %',
    '50.0 %',
    '< 0.1 %',
    '< 0.1 %',
  ]);
});

test('numbers have a true minus and no sign on zero', () => {
  expect([plainText(-0.5, 2), plainText(-0.001, 2), signedText(0.25), signedText(-0.001)]).toEqual([
    '−0.50',
    '0.00',
    '+0.25',
    '0.00',
  ]);
});

test('a negative number that is subtracted stands in parentheses', () => {
  expect([subtrahend(1.26, 1), subtrahend(-0.2, 1), subtrahend(-0.01, 1)]).toEqual(['1.3', '(−0.2)', '0.0']);
});

test('numbers have the decimal mark of the language', () => {
  chosen.language = 'de';
  expect([percent(0.5), percent(0.99999), plainText(-0.5, 2), signedText(0.25), numberText(1234.5)]).toEqual([
    '50,0 %',
    '> 99,9 %',
    '−0,50',
    '+0,25',
    '1235',
  ]);
  chosen.language = 'en';
});
