// Writes what is on the bench as the fragment of an address, and reads it.
// `#bench?i=17&e=3&c=conv2d_1.12.4.7&l=conv2d.3:zero` is test image 17 after epoch 3, with the cell at map 12, row 4,
// column 7 held, and filter 3 of conv2d set to zero. `c=conv2d_1.12` is the middle of that map, `c=conv2d_1` that of map
// 0. Further fields: m model, r rival, t instrument, n lesson, a the reader's answers in lessons, lang
// language, d a drawing in place of the image i, and embed in place of t for an instrument without the rest of the page.
import { countFilters, removableParts, sameAblation, type Ablation } from '../analysis/ablations';
import type { Checkpoint, LayerRow } from '../engine/types';
import type { Cell } from './bench.svelte';
import type { Stroke } from '../handwriting/strokes';
import { LANGUAGES, type Language } from '../text/catalogue';
import { packStrokes, unpackStrokes } from './strokes';
import { TABS, type Tab } from './tabs';

export interface Shown {
  index: number | null; // index of an image in the split
  strokes: Stroke[] | null;
  model: number;
  epoch: number | null;
  cell: Cell | null;
  ablations: Ablation[];
  rival: number | null;
  tab: Tab;
  language: Language | null; // null for the browser's language
  lesson: string | null; // an id, which the view of the lessons checks
  answers: Record<string, string>; // by the lesson's id, checked there too
  isEmbedded: boolean; // only the instrument is shown
}

// What a fragment can refer to; references to anything else are ignored.
export interface Available {
  models: { table: LayerRow[]; checkpoints: Checkpoint[] }[];
  shape: [number, number, number]; // shape of the image
  numClasses: number;
  find(index: number): number; // -1 if there is no such image
}

const START = '#bench?';
const MAX_LETTERS = 100_000; // of a fragment, so that a hostile link costs no time
const MAX_ABLATIONS = 2_000;
const LESSON_ID = /^[a-z]{1,20}$/;
const ANSWER = /^([a-z]{1,20})\.([a-z]{1,20})$/; // lesson and answer
const LENS = 'lens'; // the tab 'how' in the field embed

// Escapes a layer's name so that it contains no separator of the fragment.
function encodeName(name: string): string {
  const escape = (letter: string) => `%${letter.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
  return encodeURIComponent(name.replace(/[\ud800-\udfff]/gu, '\ufffd')).replace(/[.!'()*~]/g, escape);
}

function decodeName(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

// Parses a whole number in [0, end), or returns null.
function parseIndex(text: string | undefined, end: number): number | null {
  if (text === undefined || !/^\d{1,9}$/.test(text)) return null;
  return Number(text) < end ? Number(text) : null;
}

function encodeAblation(ablation: Ablation): string {
  const name = encodeName(ablation.layer);
  if (ablation.part !== 'filter') return `${name}:${ablation.part}`;
  return `${name}${ablation.filter === null ? '' : `.${ablation.filter}`}:${ablation.value}`;
}

// An epoch with at most four decimals, such as 0.064 for 30 of 469 steps.
const roundEpoch = (epoch: number): number => Number(epoch.toFixed(4));

// Writes the fragment. Values that are shown at the start are left out.
export function encode(shown: Shown): string {
  const fields: string[] = [];
  if (shown.index !== null) fields.push(`i=${shown.index}`);
  if (shown.model !== 0) fields.push(`m=${shown.model}`);
  if (shown.epoch !== null) fields.push(`e=${roundEpoch(shown.epoch)}`);
  if (shown.cell !== null) {
    const { layer, map, row, column } = shown.cell;
    fields.push(`c=${encodeName(layer)}.${map}.${row}.${column}`);
  }
  if (shown.ablations.length > 0) fields.push(`l=${shown.ablations.map(encodeAblation).join(',')}`);
  if (shown.rival !== null) fields.push(`r=${shown.rival}`);
  if (shown.isEmbedded) fields.push(`embed=${shown.tab === 'how' ? LENS : shown.tab}`);
  else if (shown.tab !== 'how') fields.push(`t=${shown.tab}`);
  if (shown.language !== null) fields.push(`lang=${shown.language}`);
  if (shown.lesson !== null) fields.push(`n=${shown.lesson}`);
  const answers = Object.entries(shown.answers).map((answer) => answer.join('.'));
  if (answers.length > 0) fields.push(`a=${answers.join(',')}`);
  if (shown.strokes !== null) fields.push(`d=${packStrokes(shown.strokes)}`);
  return START + fields.join('&');
}

function parseCell(text: string, table: LayerRow[], image: number[]): Cell | null {
  const [name, ...cells] = text.split('.');
  const layer = decodeName(name);
  const shape = layer === 'input' ? image : table.find((row) => row.layer.name === layer)?.outputShape;
  if (layer === null || shape === undefined || cells.length === 2 || cells.length > 3) return null;
  const [rows, columns, maps] = shape.length === 3 ? shape : [1, 1, shape[0]];
  const middle = [rows, columns].map((length) => String(Math.floor(length / 2)));
  const [ofMap, ofRow, ofColumn] = [cells[0] ?? '0', cells[1] ?? middle[0], cells[2] ?? middle[1]];
  const [map, row, column] = [parseIndex(ofMap, maps), parseIndex(ofRow, rows), parseIndex(ofColumn, columns)];
  return map === null || row === null || column === null ? null : { layer, map, row, column };
}

function parseAblation(text: string, table: LayerRow[]): Ablation | null {
  const [target, what, ...rest] = text.split(':');
  const [name, filter, ...more] = target.split('.');
  const row = table.find((row) => row.layer.name === decodeName(name));
  if (row === undefined || rest.length > 0 || more.length > 0) return null;
  const layer = row.layer.name;
  if (what === 'zero' || what === 'mean') {
    const count = countFilters(table, row);
    const number = filter === undefined ? null : parseIndex(filter, count);
    if (count === 0 || (filter !== undefined && number === null)) return null;
    return { part: 'filter', layer, filter: number, value: what };
  }
  const part = removableParts(row).find((candidate) => candidate === what);
  return part === undefined || filter !== undefined ? null : { part, layer };
}

// Parses a fragment; null if it is not one of the bench's.
export function decode(fragment: string, available: Available): Shown | null {
  if (!fragment.startsWith(START) || fragment.length > MAX_LETTERS) return null;
  const fields = new Map<string, string>();
  for (const field of fragment.slice(START.length).split('&')) {
    const end = field.indexOf('=');
    if (end > 0 && !fields.has(field.slice(0, end))) fields.set(field.slice(0, end), field.slice(end + 1));
  }
  const number = (name: string, end: number) => parseIndex(fields.get(name), end);
  const model = number('m', available.models.length) ?? 0;
  const { table, checkpoints } = available.models[model];
  const index = number('i', Infinity);
  const epoch = checkpoints.find((checkpoint) => String(roundEpoch(checkpoint.epoch)) === fields.get('e'))?.epoch;
  const [lesson, embed] = [fields.get('n'), fields.get('embed')];
  const embedded = embed === LENS ? 'how' : TABS.find((tab) => tab === embed);
  const language = (tag: string) => tag.toLowerCase().split('-')[0]; // zh of zh-CN
  const answers = (fields.get('a') ?? '').split(',').map((answer) => ANSWER.exec(answer)?.slice(1) ?? []);
  const ablations: Ablation[] = [];
  for (const text of (fields.get('l') ?? '').split(',').slice(0, MAX_ABLATIONS)) {
    const ablation = parseAblation(text, table);
    if (ablation !== null && !ablations.some((item) => sameAblation(item, ablation))) ablations.push(ablation);
  }
  return {
    index: index !== null && available.find(index) >= 0 ? index : null,
    strokes: fields.has('d') ? unpackStrokes(fields.get('d')!) : null,
    model,
    epoch: epoch ?? null,
    cell: fields.has('c') ? parseCell(fields.get('c')!, table, available.shape) : null,
    ablations,
    rival: number('r', available.numClasses),
    tab: embedded ?? TABS.find((tab) => tab === fields.get('t')) ?? 'how',
    language:
      (Object.keys(LANGUAGES) as Language[]).find((code) => language(code) === language(fields.get('lang') ?? '')) ??
      null,
    lesson: lesson !== undefined && LESSON_ID.test(lesson) ? lesson : null,
    answers: Object.fromEntries(answers.filter((answer) => answer.length === 2)),
    isEmbedded: embedded !== undefined,
  };
}
