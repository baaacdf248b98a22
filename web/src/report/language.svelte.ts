// The report's own sentences in the page's language. Python wrote them in English, each as an element that says which text
// of the catalogue it is, with its values; texts of drawings and of attributes have an attribute that says so. Numbers in
// tables follow the language too.
import { percentText, signedText } from '../bench/parts/figures';
import { partsOf, textAt } from '../text/catalogue';
import { chosen, digits, number } from '../text/say.svelte';

type Figure = [value: number, digits: number, unit?: string];
type Said = [key: string, values?: Values];
type Written = string | number | Figure | Said;
type Values = Record<string, Written>;

const parts = (key: string, values: Values) =>
  partsOf(textAt(chosen.texts, `report.${key}`, chosen.language, typeof values.n === 'number' ? values.n : undefined));

const isSaid = (value: Figure | Said): value is Said => typeof value[0] === 'string';

function written(value: Written): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return number(value);
  if (isSaid(value)) {
    const [key, values = {}] = value;
    return parts(key, values)
      .map(({ text, slot }) => (slot === undefined ? text : written(values[slot])))
      .join('');
  }
  const [figure, decimals, unit] = value;
  if (unit === '%') return percentText(figure / 100, decimals);
  if (unit === 'e') return digits(figure.toExponential(decimals - 1));
  return unit === 'points' ? signedText(figure, decimals) : number(figure, decimals);
}

function elementsOf(key: string, values: Values): (string | HTMLElement)[] {
  return parts(key, values).map(({ text, slot, term }) => {
    if (slot !== undefined) return written(values[slot]);
    if (term === undefined) return text;
    const word = document.createElement('abbr');
    word.title = textAt(chosen.texts, `report.terms.${term}.meaning`, chosen.language);
    word.textContent = text;
    return word;
  });
}

const ENGLISH_NUMBER = /\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d+/g;

// Numbers that Python wrote, as the language writes them. Where the comma is the decimal mark, a semicolon parts two.
function translated(text: string): string {
  const parted = digits('.') === ',' ? text.replace(/(\d), (?=[-−\d])/g, '$1; ') : text;
  return parted.replace(ENGLISH_NUMBER, (english) => {
    const decimals = english.split('.')[1]?.length ?? 0;
    return english.includes(',') ? number(Number(english.replaceAll(',', '')), decimals) : digits(english);
  });
}

const ATTRIBUTES = ['aria-label', 'title', 'alt'];

// Translatable attributes and labels of charts: a setter, the English original and the entry of the catalogue.
function attributesAndDrawings() {
  const readEntry = (element: Element, name: string) => JSON.parse(element.getAttribute(name)!) as Written;
  const drawn = [...document.querySelectorAll('[data-say]')].map((element) => ({
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
  return [...drawn, ...attributes];
}

export function followLanguage(): void {
  const others = attributesAndDrawings();
  const sentences = [...document.querySelectorAll<HTMLElement>('say-text')].map((element) => ({
    element,
    english: [...element.childNodes],
    key: element.getAttribute('key')!,
    values: JSON.parse(element.getAttribute('values') ?? '{}') as Values,
  }));
  const cells = [...document.querySelectorAll<HTMLElement>('main td:not(.name, .left), #verdict dd, .score')]
    .flatMap((element) => [element, ...element.querySelectorAll('small')])
    .flatMap((element) => [...element.childNodes].map((node) => ({ element, node, english: node.textContent! })))
    .filter(({ node, english }) => node.nodeType === Node.TEXT_NODE && english.search(ENGLISH_NUMBER) >= 0);
  let shown = 'en';
  $effect.root(() => {
    $effect(() => {
      const { language } = chosen;
      if (language === shown) return;
      shown = language;
      const isEnglish = language === 'en';
      for (const { element, english, key, values } of sentences) {
        element.replaceChildren(...(isEnglish ? english : elementsOf(key, values)));
      }
      for (const { set, english, value } of others) set(isEnglish ? english : written(value));
      for (const { element, node, english } of cells) {
        node.textContent = isEnglish ? english : translated(english);
        if (element.tagName === 'TD') element.dataset.value ??= english.replaceAll(/,(?=\d{3})/g, ''); // for its file
      }
    });
  });
}
