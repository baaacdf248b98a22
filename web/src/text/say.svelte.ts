// Texts and numbers in the language that the reader chose.
import { fillSlots, textAt, type Key, type Language, type Texts, type Value } from './catalogue';
import en from 'catalogues/en.json';
import { errorTextOf, type ErrorText } from './error';

class Chosen {
  language = $state<Language>('en'); // of the texts
  texts = $state.raw<Texts>(en);
}

export const chosen = new Chosen();

// Joins facts to a list, or sentences (at least one) to a text, as the language does.
export const listed = (texts: string[]): string =>
  texts.length === 0 ? '' : texts.reduce((first, second) => say('language.list', { first, second }));
export const sentences = (texts: string[]): string =>
  texts.filter(Boolean).reduce((first, second) => say('language.sentences', { first, second }));

const marks = new Map<Language, string>();

// Rewrites a number with a decimal point as the language writes it, with a true minus.
export function digits(text: string): string {
  let mark = marks.get(chosen.language);
  if (mark === undefined) {
    const parts = new Intl.NumberFormat(chosen.language).formatToParts(0.5);
    marks.set(chosen.language, (mark = parts.find(({ type }) => type === 'decimal')!.value));
  }
  return text.replaceAll('-', '−').replace('.', mark);
}

const formats = new Map<string, Intl.NumberFormat>();

// Writes a number as the language does, with a true minus and groups of three digits: with `maxDigits` decimals, of which
// zeros at the end are left out down to `minDigits`.
export function number(value: number, maxDigits = 0, minDigits = maxDigits): string {
  const name = `${chosen.language} ${maxDigits} ${minDigits}`;
  let format = formats.get(name);
  if (format === undefined) {
    const digits = { minimumFractionDigits: minDigits, maximumFractionDigits: maxDigits };
    const options = { ...digits, signDisplay: 'negative' } as const;
    formats.set(name, (format = new Intl.NumberFormat(chosen.language, options)));
  }
  return format.format(value).replace('-', '−');
}

const written = (value: Value): string => (typeof value === 'number' ? number(value) : value);

// Writes the text at a key with its values; `n` chooses the plural form. Numbers are written as whole ones; pass others as text.
export function say(key: Key, values: Record<string, Value> = {}): string {
  return fillSlots(textAt(chosen.texts, key, chosen.language, values.n), values, written);
}

// Writes the message of an error, in the reader's language if it has a text.
export function messageOf(error: unknown): string {
  const sentence =
    typeof error === 'object' && error !== null && 'key' in error ? (error as ErrorText) : errorTextOf(error);
  return typeof sentence === 'string' ? sentence : say(sentence.key, sentence.values);
}

// Translates the name of a split, by itself and as it stands before "images". Other names of the data stay as they are.
export const splitName = (split: string): string => (isSplit(split) ? say(`split.name.${split}`) : split);
export const splitOf = (split: string): string => (isSplit(split) ? say(`split.of.${split}`) : split);

const isSplit = (split: string): split is 'test' | 'validation' | 'train' =>
  split === 'test' || split === 'validation' || split === 'train';
