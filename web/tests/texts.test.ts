// Compares every language's catalogue with English, and the keys with the code that uses them.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { LANGUAGES, parseParts, type Language, type Plural, type Texts } from '../src/text/catalogue';
import en from 'catalogues/en.json';
import { CATALOGUES } from '../tools/texts';
import { englishIn } from './english';

type Text = string | Plural;

const SOURCE = join(import.meta.dirname, '../src');
const PACKAGE = join(import.meta.dirname, '../../src/convscope');
const fileOf = (language: Language) => join(CATALOGUES, `${language}.json`);
const OTHERS = (Object.keys(LANGUAGES) as Language[]).filter((code) => code !== 'en' && existsSync(fileOf(code)));

const PLURALS = ['zero', 'one', 'two', 'few', 'many', 'other'];
const isText = (value: Text | Texts): value is Text =>
  typeof value === 'string' || Object.keys(value).every((form) => PLURALS.includes(form));

function flat(texts: Texts, before = ''): [string, Text][] {
  return Object.entries(texts).flatMap(([name, value]): [string, Text][] =>
    isText(value) ? [[before + name, value]] : flat(value as Texts, `${before}${name}.`),
  );
}

const english = new Map(flat(en));
const formsOf = (text: Text): string[] => (typeof text === 'string' ? [text] : Object.values(text));
// The keys of the other texts that a text holds, such as the names of buttons: `{@lens.step}`.
const namedIn = (form: string): string[] => [...form.matchAll(/\{@([\w.]+)\}/g)].map(([, key]) => key);
// The values, terms and other texts that the forms of a text name, each once.
function marksOf(text: Text): string[] {
  const marks = formsOf(text).flatMap((form) => [
    ...parseParts(form).flatMap(({ slot, term }) =>
      slot !== undefined ? [`{${slot}}`] : term !== undefined ? [term] : [],
    ),
    ...namedIn(form).map((key) => `{@${key}}`),
  ]);
  return [...new Set(marks)].sort();
}
// The plural forms that whole numbers have in a language. Those of millions alone may be left out.
function pluralsOf(language: Language): string[] {
  const rules = new Intl.PluralRules(language);
  return [...new Set(Array.from({ length: 1000 }, (_, n) => rules.select(n)))].sort();
}

describe.each(['en', ...OTHERS] as Language[])('the catalogue in %s', (language) => {
  const texts = new Map(flat(JSON.parse(readFileSync(fileOf(language), 'utf8')) as Texts));

  test('has the keys of English', () => {
    expect([...texts.keys()]).toEqual([...english.keys()]);
  });

  test('names the same values and terms, and no other term than those that are explained', () => {
    for (const [key, text] of texts) {
      expect(marksOf(text), key).toEqual(marksOf(english.get(key)!));
      const explained = key.startsWith('report.') ? en.report.terms : en.terms;
      for (const { term } of formsOf(text).flatMap(parseParts)) {
        if (term !== undefined) expect(explained, key).toHaveProperty([term]);
      }
    }
  });

  test('has the plural forms that the language needs, and no text is empty', () => {
    const needed = pluralsOf(language);
    for (const [key, text] of texts) {
      if (typeof text !== 'string') expect(Object.keys(text), key).toEqual(expect.arrayContaining(needed));
      expect(typeof text === 'string', key).toBe(typeof english.get(key) === 'string');
      for (const form of formsOf(text)) expect(form.trim(), key).not.toBe('');
    }
  });
});

describe.each(['en', ...OTHERS] as Language[])('the lessons in %s', (language) => {
  const texts = new Map(flat(JSON.parse(readFileSync(fileOf(language), 'utf8')) as Texts));
  const tasks = [...texts].filter(([key]) => /^lessons\.\w+\.tasks\./.test(key));
  const buttons = new Set([...english.values()].flatMap((text) => formsOf(text).flatMap(namedIn)));

  test('name buttons by their keys, and no button in words of their own', () => {
    expect(buttons.size).toBeGreaterThan(10);
    for (const key of buttons) expect([...texts.keys()], key).toContain(key);
    for (const [key, text] of tasks) {
      // Only names are in quotes; English, which has none, begins them with a capital.
      for (const form of formsOf(text)) {
        const rest = form.replace(/(▶ )?\{@[\w.]+\}/g, '');
        expect(rest, key).not.toMatch(/„[^“]+“|«\s*[^\s»][^»]*»|“[^”]+”/);
        if (language === 'en') expect(rest, key).not.toMatch(/(?<![.:]) (?!The\b|It\b|ε)\p{Lu}/u);
      }
    }
  });
});

const filesIn = (folder: string, ending: RegExp) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => ending.test(name));

test('every text is used', () => {
  const code = [
    ...filesIn(SOURCE, /\.(ts|svelte)$/).map((name) => join(SOURCE, name)),
    ...filesIn(PACKAGE, /\.(py|jinja)$/).map((name) => join(PACKAGE, name)),
  ]
    .map((name) => readFileSync(name, 'utf8'))
    .join('\n');
  const named = new Set([...code.matchAll(/['"]([\w-]+(?:\.[\w× -]+)+)['"]/g)].map(([, key]) => key));
  // `report.layer.${kind}` may be any text below report.layer.
  const built = [...code.matchAll(/[`"]([\w-]+\.(?:[\w.-]|\$?\{[^}]+\})*)[`"]/g)]
    .filter(([, key]) => key.includes('{'))
    .map(([, key]) => new RegExp(`^${key.replaceAll('.', '\\.').replace(/\$?\{[^}]+\}/g, '.+')}$`));
  const unused = [...english.keys()].filter((key) => !named.has(key) && !built.some((pattern) => pattern.test(key)));
  expect(unused).toEqual([]);
});

// Only calls with an object of names: `say('key', { n, name: value })`.
test('every call of a text passes its values', () => {
  const missing = filesIn(SOURCE, /\.(ts|svelte)$/).flatMap((name) => {
    const code = readFileSync(join(SOURCE, name), 'utf8');
    const calls = [...code.matchAll(/\bsay\(\s*'([\w.]+)',\s*\{((?:[^{}]|\{[^{}]*\})*)\}/g)];
    return calls
      .filter(([, key, values]) => english.has(key) && !values.includes('...'))
      .flatMap(([, key, values]) => {
        const passed = [...values.matchAll(/(?<=^|[,{\s])\w+(?=\s*[:,]|\s*$)/g)].map(([value]) => value);
        const slots = formsOf(english.get(key)!).flatMap((form) => parseParts(form).map(({ slot }) => slot));
        return slots.filter((slot) => slot !== undefined && !passed.includes(slot)).map((slot) => `${key} ${slot}`);
      });
  });
  expect(missing).toEqual([]);
});

// English texts that belong in the code.
const EXCEPTIONS: Record<string, string[]> = {
  'App.svelte': ['#panel, main'],
  'bench/classes/ClassResult.svelte': ['convscope predict', 'own classes'], // a command, and in a file's name
  'bench/fool/Fool.svelte': ['make it', 'morph to'], // in a file's name
  'bench/lens/Sees.svelte': ['(prefers-reduced-motion: reduce)'],
  'bench/lens/SlideControls.svelte': ['(prefers-reduced-motion: reduce)'],
  'bench/lessons/mark.ts': [
    'outline: 2px solid var(--accent); outline-offset: var(--mark, 2px); border-radius: 4px',
    '(prefers-reduced-motion: reduce)',
  ],
  'bench/ablations/Ablations.svelte': ['filter ablation', 'correct predictions'], // in a file's name
  'bench/models/TwoModels.svelte': ['two models'], // in a file's name
  'bench/parts/SaveNetwork.svelte': ['const convscopeFiles ='],
  'bench/parts/file_name.ts': ['with ablation'], // in a file's name
  'bench/step/Step.svelte': ['loss of one image', '(prefers-reduced-motion: reduce)'], // a file's name
  'bench/lens/LensWork.svelte': ['(pointer: coarse)'],
  'bench/time/Time.svelte': ['this image'], // in a file's name
  'bench/training/Train.svelte': ['trained here'], // in a file's name
  'bench/training/TrainProgress.svelte': ['accuracy by epoch'], // in a file's name
  'charts/svg.ts': ['system-ui, "Liberation Sans", "DejaVu Sans", sans-serif'],
  'module/model.ts': ['The images are', '; give a Uint8Array of bytes.'], // errors for developers
  'report/bench_link.ts': ['(prefers-reduced-motion: reduce)'],
  'report/language.svelte.ts': ['main td:not(.name, .left), #verdict dd, .score'],
  'state/made_page.ts': ['own classes'], // the name of the data, in files' names
  'training/own_classes.ts': ['few examples'], // the name of a recipe
  'ui/download.ts': ['defs, symbol, clipPath, style, title, desc'],
  'ui/page_source.ts': ['<!DOCTYPE html>'],
  'ui/presentation.svelte.ts': [
    'input:not([type="range"], [type="checkbox"], [type="radio"]), textarea, select, [contenteditable]',
  ],
  'ui/theme.svelte.ts': ['(prefers-color-scheme: dark)'],
};

test('no sentence or label is outside the catalogue', () => {
  const files = filesIn(SOURCE, /\.(ts|svelte)$/);
  const matches = files.flatMap((name) =>
    englishIn(readFileSync(join(SOURCE, name), 'utf8'), name.endsWith('.svelte'))
      .filter((text) => !(EXCEPTIONS[name] ?? []).includes(text))
      .map((text) => `${name}: ${text}`),
  );
  expect(matches).toEqual([]);
});
