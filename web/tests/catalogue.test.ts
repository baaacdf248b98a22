// Texts of the catalogues: plural forms, values within texts, and missing values.
import { expect, test } from 'vitest';
import { fillSlots, parseParts, textAt } from '../src/text/catalogue';

const TEXTS = {
  lens: {
    images: { one: '{n} image of {name}', other: '{n} images of {name}' },
    word: 'A [[filter]] has a few [[weights|weight]].',
  },
};

test('a text is found by its key, in the plural form of its number', () => {
  expect(textAt(TEXTS, 'lens.images', 'en', 1)).toBe('{n} image of {name}');
  expect(textAt(TEXTS, 'lens.images', 'en', 2)).toBe('{n} images of {name}');
  expect(textAt(TEXTS, 'lens.images', 'zh-CN', 1)).toBe('{n} images of {name}');
  expect(() => textAt(TEXTS, 'lens.none', 'en')).toThrow('the text "lens.none" is missing in en');
  expect(() => textAt(TEXTS, 'lens.images', 'en')).toThrow('lens.images');
});

test('a text is split at its values and its terms', () => {
  expect(parseParts(TEXTS.lens.word)).toEqual([
    { text: 'A ' },
    { text: 'filter', term: 'filter' },
    { text: ' has a few ' },
    { text: 'weights', term: 'weight' },
    { text: '.' },
  ]);
  expect(parseParts('{n} of')).toEqual([{ text: '{n}', slot: 'n' }, { text: ' of' }]);
});

test('a missing value is an error', () => {
  expect(fillSlots('{n} of [[weights|weight]]', { n: 3 }, String)).toBe('3 of weights');
  expect(() => fillSlots('{n} of {m}', { n: 3 }, String)).toThrow('{m} has no value');
});
