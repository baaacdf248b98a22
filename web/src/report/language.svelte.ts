// Translates the report. Python writes it in English and marks each text with its key in the catalogue and its values:
//
//   <say-text key="accuracy" values='{"n": 5}'>...</say-text>    a sentence: `key` and `values`
//   <text data-say='["accuracy", {"n": 5}]'>...</text>           a label of a chart: [key, values] or a number
//   <img alt="..." data-say-alt='["accuracy", {"n": 5}]'>        an attribute
//
// Numbers in tables have no key: they are recognised by their English form.
import { percentText, signedText } from '../bench/parts/figures';
import { parseParts, textAt } from '../text/catalogue';
import { chosen, digits, number } from '../text/say.svelte';

// A number with that many decimals. The unit '%' is for percent, 'points' for a difference with its sign, and 'e' for
// scientific notation, in which `digits` counts all digits: [0.00123, 2, 'e'] is 1.2e-3.
type Figure = [value: number, digits: number, unit?: '%' | 'points' | 'e'];
type TextReference = [key: string, values?: Values]; // a text of the catalogue
type Value = string | number | Figure | TextReference;
type Values = Record<string, Value>;

// Looks up a text of the report and splits it into words, values and terms.
const parts = (key: string, values: Values) =>
  parseParts(
    textAt(chosen.texts, `report.${key}`, chosen.language, typeof values.n === 'number' ? values.n : undefined),
  );

const isTextReference = (value: Figure | TextReference): value is TextReference => typeof value[0] === 'string';

function format(value: Value): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return number(value);
  if (isTextReference(value)) {
    const [key, values = {}] = value;
    return parts(key, values)
      .map(({ text, slot }) => (slot === undefined ? text : format(values[slot])))
      .join('');
  }
  const [figure, decimals, unit] = value;
  if (unit === '%') return percentText(figure / 100, decimals);
  if (unit === 'e') return digits(figure.toExponential(decimals - 1));
  return unit === 'points' ? signedText(figure, decimals) : number(figure, decimals);
}

function makeElements(key: string, values: Values): (string | HTMLElement)[] {
  return parts(key, values).map(({ text, slot, term }) => {
    if (slot !== undefined) return format(values[slot]);
    if (term === undefined) return text;
    const word = document.createElement('abbr');
    word.title = textAt(chosen.texts, `report.terms.${term}.meaning`, chosen.language);
    word.textContent = text;
    return word;
  });
}

// Reads the title of an element in the reader's language.
export function titleOf(element: HTMLElement): string {
  const value = element.getAttribute('data-say-title');
  return value === null || chosen.language === 'en' ? element.title : format(JSON.parse(value) as Value);
}

const ENGLISH_NUMBER = /\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d+/g;

// Rewrites English numbers. In a language with a decimal comma, a semicolon separates two numbers: 0.5, 1.5 is 0,5; 1,5.
function translateNumbers(text: string): string {
  const hasDecimalComma = digits('.') === ',';
  const separated = hasDecimalComma ? text.replace(/(\d), (?=[-−\d])/g, '$1; ') : text;
  return separated.replace(ENGLISH_NUMBER, (english) => {
    const decimals = english.split('.')[1]?.length ?? 0;
    return english.includes(',') ? number(Number(english.replaceAll(',', '')), decimals) : digits(english);
  });
}

const ATTRIBUTES = ['aria-label', 'title', 'alt'];

// Finds translatable attributes and labels of charts, each with a setter, its English text and its value.
function findLabelsAndAttributes() {
  const readEntry = (element: Element, name: string) => JSON.parse(element.getAttribute(name)!) as Value;
  const labels = [...document.querySelectorAll('[data-say]')].map((element) => ({
    set: (text: string) => (element.textContent = text),
    english: element.textContent!,
    value: readEntry(element, 'data-say'),
  }));
  const attributes = ATTRIBUTES.flatMap((name) =>
    [...document.querySelectorAll(`[data-say-${name}]`)].map((element) => ({
      set: (text: string) => element.setAttribute(name, text),
      english: element.getAttribute(name)!,
      value: readEntry(element, `data-say-${name}`),
    })),
  );
  return [...labels, ...attributes];
}

// Finds sentences, each with its English text, its key and its values.
function findSentences() {
  return [...document.querySelectorAll<HTMLElement>('say-text')].map((element) => ({
    element,
    english: [...element.childNodes],
    key: element.getAttribute('key')!,
    values: JSON.parse(element.getAttribute('values') ?? '{}') as Values,
  }));
}

// Finds the texts of cells and scores in which an English number stands.
function findNumbers() {
  return [...document.querySelectorAll<HTMLElement>('main td:not(.name, .left), #verdict dd, .score')]
    .flatMap((element) => [element, ...element.querySelectorAll('small')])
    .flatMap((element) => [...element.childNodes].map((node) => ({ element, node, english: node.textContent! })))
    .filter(({ node, english }) => node.nodeType === Node.TEXT_NODE && english.search(ENGLISH_NUMBER) >= 0);
}

// Translates the report whenever the reader chooses another language. The English texts, found once, are kept.
export function followLanguage(): void {
  const [labels, sentences, numbers] = [findLabelsAndAttributes(), findSentences(), findNumbers()];
  let shown = 'en';
  $effect.root(() => {
    $effect(() => {
      const { language } = chosen;
      if (language === shown) return;
      shown = language;
      const isEnglish = language === 'en';
      for (const { element, english, key, values } of sentences) {
        element.replaceChildren(...(isEnglish ? english : makeElements(key, values)));
      }
      for (const { set, english, value } of labels) set(isEnglish ? english : format(value));
      for (const { element, node, english } of numbers) {
        node.textContent = isEnglish ? english : translateNumbers(english);
        if (element.tagName === 'TD') element.dataset.value ??= english.replaceAll(/,(?=\d{3})/g, ''); // the number for a saved table
      }
    });
  });
}
