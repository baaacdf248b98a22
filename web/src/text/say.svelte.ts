// Texts and numbers in the language that the reader chose.
import { filled, textAt, type Key, type Language, type Texts, type Value } from './catalogue';
import en from './en.json';

class Chosen {
  language = $state<Language>('en');
  texts = $state.raw<Texts>(en);
}

export const chosen = new Chosen();

// A number as the language writes it, with a true minus: whole numbers in groups of three digits, others with `digits`
// decimals.
export function number(value: number, digits = 0): string {
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: 'negative' } as const;
  return value.toLocaleString(chosen.language, options).replace('-', '−');
}

const written = (value: Value): string => (typeof value === 'number' ? number(value) : value);

// The text at a key with its values. A number among them is written as a whole number; give others as text.
export function say(key: Key, values: Record<string, Value> = {}): string {
  return filled(textAt(chosen.texts, key, chosen.language, values.n), values, written);
}
