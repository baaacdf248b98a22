// Names layers on the page, without Keras vocabulary.
import { logitsRow } from '../../engine/architecture';
import { type Activation, termOf } from '../../engine/activations';
import type { LayerRow, LayerSpec, Shape } from '../../engine/types';
import type { Texts } from '../../text/catalogue';
import { chosen, say } from '../../text/say.svelte';
import type en from 'catalogues/en.json';
import { numberText } from './words';

export interface Heading {
  title: string; // such as "convolution 2"
  facts: string; // such as "32 filters, 3 × 3"
  short: string; // such as "conv 2"
}

type Kind = keyof typeof en.report.layer;
type NamedFunction = keyof typeof en.report.function; // those that the catalogues name; others keep the name of Keras

export const functionName = (activation: Activation): string =>
  termOf(activation) === null ? activation : say(`report.function.${activation as NamedFunction}`);

export function sizeText([rows, columns]: readonly number[]): string {
  return `${rows} × ${columns}`;
}

export function inputHeading([rows, columns, channels]: Shape): Heading {
  const size = channels === 1 ? sizeText([rows, columns]) : `${sizeText([rows, columns])} × ${channels}`;
  return { title: say('parts.input'), facts: say('parts.facts.pixels', { size }), short: say('parts.input') };
}

const memo = new WeakMap<LayerRow[], { texts: Texts; headings: Heading[] }>(); // a view names hundreds of filters

// Makes a heading for each layer. Several layers of one kind are numbered.
export function headings(table: LayerRow[]): Heading[] {
  const { texts } = chosen;
  let known = memo.get(table);
  if (known?.texts !== texts) memo.set(table, (known = { texts, headings: makeHeadings(table) }));
  return known.headings;
}

function makeHeadings(table: LayerRow[]): Heading[] {
  const last = logitsRow(table);
  const names = table.map((row) => nameOf(row, row === last));
  const numbered = (name: string, i: number) => {
    if (names.filter((candidate) => candidate === names[i]).length === 1) return name;
    return say('report.numbered', { name, number: names.slice(0, i + 1).filter((same) => same === names[i]).length });
  };
  const titles = names.map(numbered);
  const titleOf = (layer: string | undefined) =>
    layer === 'input' ? say('parts.input') : (titles[table.findIndex((row) => row.layer.name === layer)] ?? '');
  return table.map((row, i) => ({
    title: titles[i],
    short: numbered(nameOf(row, row === last, true), i),
    facts:
      row === last
        ? say('parts.facts.logits', { n: last.outputShape.at(-1)! })
        : factsOf(row, titleOf(row.layer.from_layer)), // the earlier layer that an Add or a Concatenate reads too
  }));
}

function nameOf({ layer }: LayerRow, isLast: boolean, isShort = false): string {
  if (layer.kind === 'Activation') return functionName(layer.activation ?? 'linear');
  if (isLast) return say('report.output');
  return isShort ? say(`parts.short.${layer.kind as Kind}`) : say(`report.layer.${layer.kind as Kind}`);
}

function factsOf({ layer, window, outputShape }: LayerRow, earlier: string): string {
  if (layer.kind === 'Activation') return activationFacts(layer, outputShape);
  const size = window === null ? '' : sizeText(window.size);
  return say(`parts.facts.${layer.kind as Kind}`, { n: outputShape.at(-1)!, size, layer: earlier });
}

function activationFacts({ activation, negative_slope: slope }: LayerSpec, shape: Shape): string {
  if (activation === 'softmax') return say('parts.facts.softmax', { n: shape[0] });
  if (activation === 'leaky_relu') return say('parts.facts.leakyRelu', { slope: numberText(slope ?? 0.2) });
  return say('parts.facts.activation');
}

// Titles a layer as its heading does: "Convolution 1", or "Input" for the image.
export function layerTitle(table: LayerRow[], layer: string): string {
  const index = table.findIndex((row) => row.layer.name === layer);
  return index < 0 ? say('parts.input') : headings(table)[index].title;
}

// Titles a map or unit with its layer, the same in every view: "Convolution 1, filter 7".
export function partTitle(table: LayerRow[], layer: string, map: number, classNames: string[]): string {
  const title = layerTitle(table, layer);
  const isGrey = table[0].inputShape[2] === 1 && !table.some((row) => row.layer.name === layer); // a single channel
  return isGrey ? title : say('parts.inLayer', { layer: title, part: partName(table, layer, map, classNames) });
}

// Names a map or unit: "filter 7" of a convolution, "map 7" of a pooling, "unit 12", or the class of an output.
export function partName(table: LayerRow[], layer: string, map: number, classNames: string[]): string {
  const index = String(map);
  const row = table.find((row) => row.layer.name === layer);
  if (row === undefined) {
    const colour = table[0].inputShape[2] === 3 ? (['red', 'green', 'blue'] as const)[map] : undefined;
    return colour === undefined ? say('parts.channel', { index }) : say(`parts.colours.${colour}`);
  }
  if (row.index >= logitsRow(table).index) return say('parts.class', { name: classNames[map] });
  if (row.outputShape.length === 1) return say('parts.unit', { index });
  return say(row.layer.kind.endsWith('Conv2D') ? 'parts.filter' : 'parts.map', { index });
}
