// The catalogue of the page's texts, and how their values are filled in. English is the source: every language has its keys.
//
// In a text `{name}` stands for a value, and `[[word|term]]` for a word whose meaning the page explains: `word` is what
// is read, `term` the English name in `ui/terms.ts`, which may be left out where it is the word itself. A text that
// depends on a number is one text for each plural form of its language, by the value `n`: {"one": …, "other": …}.
// `{@key}` stands for the text at another key, such as the name of a button.
import type en from 'catalogues/en.json';

export const LANGUAGES = {
  en: 'English',
  de: 'Deutsch',
  fr: 'Français',
  es: 'Español',
  'zh-CN': '简体中文',
} as const;

export type Language = keyof typeof LANGUAGES;
export type Plural = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string };
export type Texts = { [key: string]: string | Plural | Texts };

type KeysOf<T> = {
  [K in keyof T & string]: T[K] extends string | { other: string } ? K : `${K}.${KeysOf<T[K]>}`;
}[keyof T & string];
export type Key = KeysOf<typeof en>;
export type Value = string | number;

export interface Part {
  text: string;
  slot?: string; // the name of a value
  term?: string; // the name of an explained term
}

const MARKS = /\{(\w+)\}|\[\[([^\]|]+)(?:\|([^\]]+))?\]\]/g;

// Looks up the text at a key, in the plural form of the number, with the texts that it names.
export function textAt(texts: Texts, key: string, language: Language, n?: Value): string {
  let entry: string | Plural | Texts | undefined = texts;
  for (const name of key.split('.')) {
    entry = typeof entry === 'object' ? (entry as Texts)[name] : undefined;
  }
  if (typeof entry === 'object' && typeof n === 'number') {
    const form = new Intl.PluralRules(language).select(n);
    entry = (entry as Plural)[form] ?? (entry as Plural).other;
  }
  if (typeof entry !== 'string') throw new Error(`the text "${key}" is missing in ${language}`);
  return entry.replace(/\{@([\w.]+)\}/g, (_, named: string) => textAt(texts, named, language, n));
}

// Splits a text at its marks: into the marks and what stands between them.
export function parseParts(text: string): Part[] {
  const parts: Part[] = [];
  let end = 0;
  for (const match of text.matchAll(MARKS)) {
    if (match.index > end) parts.push({ text: text.slice(end, match.index) });
    const [whole, slot, word, term] = match;
    parts.push(slot === undefined ? { text: word, term: term ?? word } : { text: whole, slot });
    end = match.index + whole.length;
  }
  if (end < text.length) parts.push({ text: text.slice(end) });
  return parts;
}

// Fills in the values of a text. Throws an error if one is missing.
export function fillSlots(text: string, values: Record<string, Value>, written: (value: Value) => string): string {
  return parseParts(text)
    .map(({ text: part, slot }) => {
      if (slot === undefined) return part;
      if (!(slot in values)) throw new Error(`{${slot}} has no value in "${text}"`);
      return written(values[slot]);
    })
    .join('');
}
