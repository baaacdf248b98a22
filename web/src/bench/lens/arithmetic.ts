// Writes the words and numbers of a cell's arithmetic, which the lens shows beside its pictures.
import type { CellArithmetic } from '../../analysis/cell';
import { unflatten } from '../../analysis/receptive';
import { decimalsFor, roundTerms } from '../../analysis/rounding';
import type { LayerRow } from '../../engine/types';
import { digits, say } from '../../text/say.svelte';
import { plainText } from '../parts/figures';
import { partName } from '../parts/headings';

// A line of the sum, such as "bias" with 0.12.
export interface SumLine {
  text: string;
  value: string;
}

// Writes the lines of the sum, one for each term: for a convolution "9 products 1.15" and "bias 0.12", for an Add a
// line for each of its layers, for a pooling only its result. The printed numbers add up to the printed sum, here 1.27.
export function sumLines(
  arithmetic: CellArithmetic,
  decimals: number,
  name: (layer: string, map?: number) => string,
): SumLine[] {
  const { work, bias, sum } = arithmetic;
  // Pairs texts with the values that they name, rounded together.
  const lines = (texts: string[], values: number[]) => {
    const rounded = roundTerms(values, decimals);
    return texts.map((text, i) => ({ text, value: plainText(rounded[i], decimals) }));
  };
  const withBias = (text: string) =>
    bias === null ? lines([text], [sum]) : lines([text, say('lens.bias')], [sum - bias, bias]);
  switch (work.step) {
    case 'products': {
      const { length } = work.channels;
      const text =
        length === 1 ? say('lens.products', { n: work.channels[0].products.length }) : say('lens.maps', { n: length });
      return withBias(text);
    }
    case 'weighted':
      return withBias(say('lens.products', { n: work.terms.length }));
    case 'largest':
      return lines([say('lens.max', { n: work.window.values.filter((value) => !Number.isNaN(value)).length })], [sum]);
    case 'mean':
      return lines([say('lens.mean', { n: work.count })], [sum]);
    case 'normalised':
      return lines([say('lens.normalised'), 'β'], [sum - work.beta, work.beta]);
    case 'added':
      return lines(
        work.cells.map((cell) => name(cell.layer)),
        [work.value, work.other],
      );
    case 'multiplied': {
      const factors = [work.value, work.other].map((value) => plainText(value, decimals));
      return lines([work.cells.map((cell, i) => `${name(cell.layer)} ${factors[i]}`).join(' × ')], [sum]);
    }
    case 'copied': {
      const { layer, map, row, column } = work.from;
      return lines([say('lens.from', { part: name(layer, map), row, column })], [work.value]);
    }
    case 'voted': // a logit of the vote = log (mean probability of the members) + mean of their log Σ e^logit
      return lines(
        [say('lens.votes', { n: work.members }), say('lens.strength')],
        [Math.log(work.mean), work.strength],
      );
    case 'zero':
      return lines([say('lens.padding')], [0]);
    case 'pixel': {
      const scale = digits(String(Number(work.scale.toPrecision(6))));
      return lines(
        [say('lens.pixel', { byte: work.byte, scale }), say('lens.offset')],
        [work.byte * work.scale, work.offset],
      );
    }
  }
}

// Chooses two or three decimals: three while no printed number reaches 10.
export function decimalsOf({ work, sum, bias, value }: CellArithmetic): number {
  const sizes = [sum, bias ?? 0, value];
  if (work.step === 'products') sizes.push(...work.channels.map((channel) => channel.sum));
  if (work.step === 'weighted') sizes.push(...work.terms.slice(0, 1).map((term) => term.product));
  return Math.min(3, Math.max(2, decimalsFor(Math.max(...sizes.map(Math.abs)))));
}

// Names an input of a dense layer. Dropout and Activation keep the order of the inputs, so the layer before them
// decides: a Flatten gives each input a cell of a map; other inputs are units.
export function inputText(table: LayerRow[], sourceName: string, input: number): string {
  let index = table.findIndex((row) => row.layer.name === sourceName);
  while (index >= 0 && ['Dropout', 'Activation'].includes(table[index].layer.kind)) index--;
  const source: LayerRow | undefined = table[index];
  if (source?.layer.kind === 'Flatten' && source.inputShape.length === 3) {
    const { map, row, column } = unflatten(source.inputShape, input);
    return source.inputShape[2] === 1
      ? say('lens.pixelAt', { row, column })
      : say('lens.mapAt', { part: partName(table, table[index - 1]?.layer.name ?? 'input', map, []), row, column });
  }
  return say('lens.unit', { unit: String(input) });
}

// Writes the difference between the sum and the layer's output with one digit, such as "2e-8".
export function differenceText(difference: number): string {
  const [figure, power] = difference.toExponential(0).split('e');
  return say('lens.difference', { difference: difference === 0 ? '0' : digits(`${figure}e${Number(power)}`) });
}
