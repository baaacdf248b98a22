// Writes the words and numbers of a cell's arithmetic.
import type { CellArithmetic, Channel } from '../../analysis/cell';
import { unflatten, type Cell } from '../../analysis/receptive';
import { decimalsFor, roundTerms } from '../../analysis/rounding';
import type { LayerRow } from '../../engine/types';
import { digits, say } from '../../text/say.svelte';
import { plainText } from '../parts/figures';

export interface Part {
  text: string;
  value: string;
}

// Writes the lines of the sum: "Σ window × kernel", then the bias. The printed numbers add up to the printed sum.
export function sumLines(sum: CellArithmetic, decimals: number, name: (layer: string) => string): Part[] {
  const { work, bias } = sum;
  const add = (texts: string[], values: number[]) => {
    const rounded = roundTerms(values, decimals);
    return texts.map((text, i) => ({ text, value: plainText(rounded[i], decimals) }));
  };
  const withBias = (text: string, value: number) =>
    bias === null ? add([text], [value]) : add([text, say('lens.bias')], [value, bias]);
  switch (work.step) {
    case 'products': {
      const { length } = work.channels;
      const text =
        length === 1 ? say('lens.products', { n: work.channels[0].products.length }) : say('lens.maps', { n: length });
      return withBias(text, sum.sum - (bias ?? 0));
    }
    case 'weighted':
      return withBias(say('lens.products', { n: work.terms.length }), sum.sum - (bias ?? 0));
    case 'largest':
      return add([say('lens.max', { n: countInside(work.window.values) })], [sum.sum]);
    case 'mean':
      return add([say('lens.mean', { n: work.count })], [sum.sum]);
    case 'normalised':
      return add([say('lens.normalised'), 'β'], [sum.sum - work.beta, work.beta]);
    case 'added':
      return add(
        work.cells.map((cell) => name(cell.layer)),
        [work.value, work.other],
      );
    case 'copied':
      return add([placeText(work.from, name)], [work.value]);
    case 'voted':
      return add([say('lens.votes', { n: work.members }), say('lens.strength')], [Math.log(work.mean), work.strength]);
    case 'zero':
      return add([say('lens.padding')], [0]);
    case 'pixel': {
      const scale = digits(String(Number(work.scale.toPrecision(6))));
      return add(
        [say('lens.pixel', { byte: work.byte, scale }), say('lens.offset')],
        [work.byte * work.scale, work.offset],
      );
    }
  }
}

function placeText({ layer, map, row, column }: Cell, name: (layer: string) => string): string {
  return say('lens.from', { layer: name(layer), map: String(map), row, column });
}

function countInside(values: number[]): number {
  return values.filter((value) => !Number.isNaN(value)).length;
}

// Chooses the number of decimals for the largest number of the sum.
export function decimalsOf(sum: CellArithmetic): number {
  const { work } = sum;
  const sizes = [sum.sum, sum.bias ?? 0, sum.value];
  if (work.step === 'products') sizes.push(...work.channels.map((channel) => channel.sum));
  if (work.step === 'weighted') sizes.push(...work.terms.slice(0, 1).map((term) => term.product));
  return Math.min(3, Math.max(2, decimalsFor(Math.max(...sizes.map(Math.abs)))));
}

// Names an input of a dense layer: after a Flatten, by its cell of the map.
export function inputText(table: LayerRow[], source: string, input: number): string {
  const at = table.findIndex((row) => row.layer.name === source);
  let from = at;
  while (from >= 0 && ['Dropout', 'Activation'].includes(table[from].layer.kind)) from--;
  if (from >= 0 && table[from].layer.kind === 'Flatten' && table[from].inputShape.length === 3) {
    const { map, row, column } = unflatten(table[from].inputShape, input);
    return table[from].inputShape[2] === 1
      ? say('lens.pixelAt', { row, column })
      : say('lens.mapAt', { map: String(map), row, column });
  }
  return say('lens.unit', { unit: String(input) });
}

// Sorts the input channels, the strongest first.
export function sortByStrength(channels: Channel[]): Channel[] {
  return [...channels].sort((a, b) => Math.abs(b.sum) - Math.abs(a.sum));
}

export function differenceText(difference: number): string {
  const [figure, power] = difference.toExponential(0).split('e');
  return say('lens.difference', { difference: difference === 0 ? '0' : digits(`${figure}e${Number(power)}`) });
}
