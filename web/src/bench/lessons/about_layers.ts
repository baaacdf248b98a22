// The lessons about what the layers compute: pixels and filters, convolution, pooling, depth. Each function makes the
// script of a lesson for the network of the page, or null if the network lacks its subject. The `isDone` of the current
// task is called after every move of the reader, and also notes what the reader looked at, for the conclusion.
import { receptiveFrame, sizesOf, layersBackToImage, type Cell } from '../../analysis/receptive';
import { mapsRead } from '../../engine/layers';
import type { Bench } from '../../state/bench.svelte';
import { number } from '../../text/say.svelte';
import { layerTitle, sizeText } from '../parts/headings';
import { column, SLIDE, type Script, type Task } from './lesson';
import {
  firstConvolution,
  firstPooling,
  firstWeighted,
  heldIn,
  isConstant,
  isVaried,
  smallest,
  lookedIn,
  mapOf,
  mean,
  largest,
  pixelsSeen,
  shallowAndDeep,
  sourceOf,
  valueAt,
  windowOf,
} from './subject';

const [CONVOLUTION_POSITIONS, POOLING_POSITIONS] = [5, 3]; // positions that the window must visit, if there are as many
const MAX_LISTED = 9; // numbers of a window that are listed
const NEAR = 0.8; // share of the brightest value of a map that counts as bright

// Counts the positions that the window has visited in this layer.
function countVisited(bench: Bench, layer: string, visited: Set<string>): number {
  const { sliding } = bench;
  if (sliding?.layer === layer) visited.add(`${sliding.row} ${sliding.column}`);
  return visited.size;
}

export function pixels(bench: Bench): Script {
  const { table } = bench.models[0];
  const [rows, columns, channels] = bench.images.shape;
  const first = firstWeighted(table);
  const [positions] = sizesOf(first.outputShape);
  const part = positions > 1 ? 'maps' : 'units';
  let [bright, dark]: (number | null)[] = [null, null]; // the pixels that the reader looked at
  const strongest = new Map<number, number>(); // the largest value of each map that the reader looked at
  // Returns the pixel that the reader looks at, if it is in the bright or the dark half of the image's range.
  const lookedPixel = (isBright: boolean): number | null => {
    const cell = lookedIn(bench, 'input');
    if (cell === null) return null;
    const value = valueAt(bench, cell);
    return value > (smallest(bench.pixels) + largest(bench.pixels)) / 2 === isBright ? value : null;
  };
  return {
    values: () => ({ n: rows * columns * channels, layer: layerTitle(table, first.layer.name) }),
    answers: ['lines', 'numbers', 'copy'],
    tasks: [
      { id: 'bright', at: column('input'), isDone: () => (bright = lookedPixel(true)) !== null },
      { id: 'dark', at: column('input'), isDone: () => (dark = lookedPixel(false)) !== null },
      {
        id: part,
        at: column(first.layer.name),
        isDone: () => {
          const cell = lookedIn(bench, first.layer.name);
          if (cell !== null) strongest.set(cell.map, largest(mapOf(bench, cell.layer, cell.map)));
          const written = new Set([...strongest.values()].map((value) => number(value, 2)));
          return written.size > 1 || strongest.size === first.outputShape.at(-1)!; // all maps alike
        },
      },
    ],
    correct: () => 'numbers',
    found: () => {
      // The first map that the reader looked at, and the last, each with its largest value.
      const [[a, highOfA], ...others] = [...strongest];
      const [b, highOfB] = others.at(-1) ?? [a, highOfA];
      const values = {
        a,
        b,
        high: number(highOfA, 2),
        other: number(highOfB, 2),
        layer: layerTitle(table, first.layer.name),
      };
      const n = rows * columns * channels;
      return { texts: [`found_${part}`], values: { ...values, n, bright: bright!, dark: dark! } };
    },
  };
}

export function convolution(bench: Bench): Script | null {
  const { table } = bench.models[0];
  const row = firstConvolution(table);
  if (row === null || row.window === null) return null;
  const { name, kind } = row.layer;
  const depth = kind === 'Conv2D' ? mapsRead(row.layer, row.inputShape, 0).count : 1;
  const [rows, columns] = sizesOf(row.outputShape);
  const [high, wide] = row.window.size;
  const numProducts = high * wide * depth; // for a value of the output
  const numPixels = rows * columns; // of an output map
  const numVisits = Math.min(CONVOLUTION_POSITIONS, numPixels);
  const visited = new Set<string>();
  let bright: Cell | null = null;
  return {
    values: () => ({
      layer: layerTitle(table, row.layer.name),
      size: [sizeText([high, wide]), ...(depth > 1 ? [depth] : [])].join(' × '),
      places: numPixels,
      all: numProducts * numPixels,
      k: numProducts,
      pixels: row.inputShape.reduce((a, b) => a * b, 1),
      n: numVisits,
    }),
    answers: ['each', 'same', 'pixels'],
    tasks: [
      { id: 'hold', at: column(name), isDone: () => heldIn(bench, name) !== null },
      { id: 'slide', at: SLIDE, isDone: () => countVisited(bench, name, visited) >= numVisits },
      {
        id: 'bright',
        at: `${column(name)} .head`,
        isDone: () => {
          const cell = bench.sliding === null ? heldIn(bench, name) : null;
          if (cell === null) return false;
          bright = cell;
          const [value, values] = [valueAt(bench, cell), mapOf(bench, name, cell.map)];
          // In a map of one value no place is bright, unless all of its layer are like that.
          return value >= NEAR * largest(values) && (value > mean(values) || isConstant(bench, row.index));
        },
      },
    ],
    correct: () => 'same',
    found: () => {
      const cell = bright!;
      const value = number(valueAt(bench, cell), 2);
      const average = number(mean(mapOf(bench, name, cell.map)), 2);
      const { row, column } = cell;
      return { texts: ['found'], values: { n: visited.size, k: numProducts, value, mean: average, row, column } };
    },
  };
}

export function pooling(bench: Bench): Script | null {
  const { table } = bench.models[0];
  const row = firstPooling(table);
  if (row === null || row.window === null) return null;
  const { name, kind } = row.layer;
  const source = sourceOf(table, row);
  const [before, after] = [row.inputShape, row.outputShape].map(sizesOf);
  const [from, to] = [before[0] * before[1], after[0] * after[1]]; // values of a map
  // The wrong answer 'middle': half the values, or a quarter if half is the correct answer 'to'.
  const middle = Math.round(to === Math.round(from / 2) ? from / 4 : from / 2);
  const visited = new Set<string>();
  let held: Cell | null = null;
  // Four equal numbers have no largest, unless all that the layer gives is equal.
  const isTelling = (cell: Cell) => isVaried(windowOf(bench, cell)) || isConstant(bench, row.index);
  const numVisits = Math.min(POOLING_POSITIONS, to);
  const slide: Task = { id: 'slide', at: SLIDE, isDone: () => countVisited(bench, name, visited) >= numVisits };
  const compare: Task = {
    id: 'compare',
    at: column(source.layer),
    isDone: () => lookedIn(bench, source.layer)?.map === held?.map && isTelling(held!),
  };
  const hold: Task = {
    id: 'hold',
    at: column(name),
    isDone: () => (held = heldIn(bench, name)) !== null && isTelling(held),
  };
  return {
    values: () => ({
      layer: layerTitle(table, row.layer.name),
      source: source.title,
      size: sizeText(row.window!.size),
      map: held?.map ?? 0,
      n: numVisits,
      from,
      to,
      other: middle,
    }),
    answers: from === to ? ['from', 'middle'] : ['from', 'middle', 'to'],
    tasks: to > 1 ? [hold, slide, compare] : [hold, compare],
    correct: () => (from === to ? 'from' : 'to'),
    found: () => {
      const cell = held!;
      const read = windowOf(bench, cell);
      const isLong = read.length > MAX_LISTED;
      const listed = (isLong ? [smallest(read), largest(read)] : read).map((value) => number(value, 2));
      return {
        texts: [kind.includes('Max') ? 'found_largest' : 'found_mean'],
        values: {
          map: cell.map,
          row: cell.row,
          column: cell.column,
          value: number(valueAt(bench, cell), 2),
          numbers: listed.join(isLong ? ' … ' : ' · '),
          from: sizeText(before),
          to: sizeText(after),
        },
      };
    },
  };
}

export function depth(bench: Bench): Script | null {
  const { table } = bench.models[0];
  const pair = shallowAndDeep(table);
  if (pair === null) return null;
  const [first, deep] = pair;
  const image = bench.images.shape;
  const cutToImage = (size: number[]) => size.map((length, i) => Math.min(length, image[i]));
  const [small, large] = [cutToImage(first.receptiveField.size), cutToImage(deep.receptiveField.size)];
  const isAll = large[0] === image[0] && large[1] === image[1];
  // The wrong answer 'middle': the whole image, or if that is correct, half-way between the two receptive fields.
  const middle = isAll ? large.map((length, i) => Math.ceil((length + small[i]) / 2)) : [...image];
  const { name } = deep.layer;
  const reaches = new Set<number>(); // how many layers back the reader has gone
  let held: Cell | null = null;
  return {
    values: () => ({
      first: layerTitle(table, first.layer.name),
      deep: layerTitle(table, deep.layer.name),
      small: sizeText(small),
      large: sizeText(large),
      other: sizeText(middle),
    }),
    answers: isAll ? ['small', 'middle', 'large'] : ['small', 'large', 'middle'], // by size
    tasks: [
      { id: 'hold', at: column(name), isDone: () => (held = heldIn(bench, name)) !== null },
      {
        id: 'sees',
        at: '.lens:not(.seeing) .swap, .sees .controls',
        isDone: () => {
          const { reach } = bench;
          if (heldIn(bench, name) !== null) held = bench.held;
          if (reach !== null) reaches.add(reach);
          // Two stops of the slider, or all if there are fewer. The last stop, the image, is null and does not count.
          const numLayers = layersBackToImage(table, receptiveFrame(table, held!)).length;
          return reaches.size >= Math.min(2, numLayers - 1);
        },
      },
      { id: 'compare', at: column(first.layer.name), isDone: () => lookedIn(bench, first.layer.name) !== null },
    ],
    correct: () => 'large',
    found: () => ({
      texts: ['found'],
      values: {
        deep: layerTitle(table, deep.layer.name),
        first: layerTitle(table, first.layer.name),
        seen: sizeText(pixelsSeen(bench, held!)),
        small: sizeText(pixelsSeen(bench, lookedIn(bench, first.layer.name)!)),
        image: sizeText(image),
      },
    }),
  };
}
