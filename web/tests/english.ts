// Finds English in code: texts of two words or more between the tags and in strings, and labels of any length.
import { parse } from 'svelte/compiler';
import en from 'catalogues/en.json';

interface Node {
  type: string;
  [name: string]: unknown;
}

const WORDS = /[A-Za-z]{2,}[,;:.]? [a-z]{2,}|[a-z] [A-Z][a-z]+/; // two words
const LABELS = [
  'aria-label',
  'title',
  'label',
  'caption',
  'alt',
  'placeholder',
  'aria-description',
  'aria-roledescription',
];
// Not shown to readers: CSS classes, errors for developers, imports and types.
const isHidden = ({ type, callee, name }: Node) =>
  (type === 'Attribute' && (name === 'class' || name === 'generics')) ||
  type.startsWith('Import') ||
  type.startsWith('TS') ||
  (type === 'NewExpression' && (callee as Node).name === 'Error');

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && 'type' in value;

export function englishIn(code: string, isComponent: boolean): string[] {
  const texts: string[] = [];
  const read = (text: unknown, words: RegExp) => {
    if (typeof text === 'string' && words.test(text) && !Object.hasOwn(en.terms, text)) texts.push(text.trim());
  };
  const visit = (node: Node, isLabel: boolean): void => {
    if (isHidden(node) || node.type === 'StyleSheet') return;
    if (node.type === 'Text') read(node.data, isLabel ? /[a-z]{2}/i : WORDS);
    if (node.type === 'Literal') read(node.value, WORDS);
    if (node.type === 'TemplateElement') read((node.value as { cooked: string }).cooked, WORDS);
    const labels = node.type === 'Attribute' ? LABELS.includes(node.name as string) : isLabel;
    const inside = node.type === 'ExpressionTag' ? false : labels;
    for (const value of Object.values(node)) {
      for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) visit(child, inside);
    }
  };
  const text = isComponent
    ? code
    : `<script module lang="ts">\n${code.replaceAll('</script', '<\\/script')}\n</script>`;
  visit(parse(text, { modern: true }) as unknown as Node, false);
  return texts;
}
