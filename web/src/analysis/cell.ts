// The arithmetic of a cell in double precision, term by term, up to the value in the layer's output. The lens shows it.
import { beforeOf, channelsOfEarlier, earlierOf } from '../engine/architecture';
import { type Activation, ACTIVATIONS, LEAKY_SLOPE } from '../engine/activations';
import type { Input, LayerRow, Replacement, Shape, Weights } from '../engine/types';
import { normalizerOf, type Normalizer } from '../engine/softmax';
import { product } from '../engine/layers';
import { mapsReadBy, sizesOf, unflatten, type Cell } from './receptive';

// A forward pass: image, network and the output of every layer.
export interface ForwardPass {
  input: Input;
  table: LayerRow[];
  weights: Weights;
  pixels: ArrayLike<number>; // (H, W, C) bytes
  activations: ArrayLike<number>[]; // by layer, (H, W, C) or (units,)
  logits: ArrayLike<number>;
}

// The values that a cell's window reads from one map; NaN outside the map.
export interface WindowValues {
  map: number;
  top: number; // row of the map at which the window begins; negative in the padding
  left: number;
  rows: number;
  columns: number;
  dilation: [number, number]; // distance between neighbouring rows and columns
  values: number[];
}

export interface Channel extends WindowValues {
  kernel: number[];
  products: number[];
  sum: number;
}

export interface Term {
  input: number; // index in the input vector
  value: number;
  weight: number;
  product: number;
}

// What a layer computes for a cell before bias and activation, by the kind of the layer. `resultOf` computes the result.
export type CellWork =
  | { step: 'products'; channels: Channel[] } // a convolution: the sum of the channels' sums
  | { step: 'largest'; window: WindowValues; winner: number } // `winner`: the index of the first maximum
  | { step: 'mean'; window: WindowValues; count: number; total: number } // total / count, without the padding
  | { step: 'weighted'; terms: Term[] } // a dense layer: the sum of the products, the largest first
  | { step: 'normalised'; value: number; mean: number; variance: number; epsilon: number; gamma: number; beta: number }
  | { step: 'added' | 'multiplied'; value: number; other: number; cells: [Cell, Cell] } // value + or · other
  | { step: 'copied'; value: number; from: Cell } // a layer that moves or passes on values
  | { step: 'voted'; members: number; mean: number; strength: number } // mean probability, mean log Σ exp of the logits
  | { step: 'zero' } // the cell lies in the padding
  | { step: 'pixel'; byte: number; scale: number; offset: number };

export interface CellArithmetic {
  cell: Cell;
  kind: string; // the layer's kind; "Input" for a pixel
  source: string; // the layer that it reads; empty for a pixel
  work: CellWork;
  bias: number | null;
  sum: number; // the result of `work` plus the bias, before the activation
  activation: Activation;
  slope: number; // the slope of leaky relu below zero
  normalizer: Normalizer | null; // only for a softmax
  computed: number; // after the activation
  replaced: number | null; // the value that an ablation sets
  value: number; // the replacement if there is one, else the computed value
  shown: number; // the value in the layer's float32 output, to compare
}

// Explains how a cell is computed, from the layer that it reads to its value. A replacement is the ablation of its filter.
export function explainCell(pass: ForwardPass, cell: Cell, replacement?: Replacement): CellArithmetic {
  if (cell.layer === 'input') return explainPixel(pass, cell);
  const index = pass.table.findIndex((row) => row.layer.name === cell.layer);
  if (index < 0) throw new Error(`no layer ${cell.layer}`);
  const row = pass.table[index];
  // The first maps of a Concatenate come from an earlier layer, the others from the layer before it. Other layers: 0.
  const numEarlier = channelsOfEarlier(pass.table, index);
  const source = outputAt(pass, cell.map < numEarlier ? earlierOf(pass.table, index)! : beforeOf(pass.table, index));
  const work = workOf(pass, row, source, cell);
  const biases = pass.weights[`${cell.layer}/bias`];
  const bias = biases === undefined ? null : biases[cell.map];
  const sum = resultOf(work) + (bias ?? 0);
  const learned = pass.weights[`${cell.layer}/alpha`]; // a PReLU is a leaky relu with a learned slope for each channel
  const activation = learned ? 'leaky_relu' : (row.layer.activation ?? 'linear');
  const slope = learned?.[cell.map] ?? row.layer.negative_slope ?? LEAKY_SLOPE;
  const normalizer = activation === 'softmax' ? normalizerOf(pass.logits) : null;
  const computed =
    activation === 'softmax'
      ? Math.exp(sum - normalizer!.largest) / normalizer!.total
      : ACTIVATIONS[activation].compute(sum, slope);
  const replaced = replacement === undefined ? null : replacement.value;
  return {
    cell,
    kind: row.layer.kind,
    source: source.name,
    work,
    bias,
    sum,
    activation,
    slope,
    normalizer,
    computed,
    replaced,
    value: replaced ?? computed,
    shown: pass.activations[index][indexIn(row.outputShape, cell)],
  };
}

function explainPixel({ input, pixels }: ForwardPass, cell: Cell): CellArithmetic {
  const byte = pixels[indexIn([input.height, input.width, input.channels], cell)];
  const sum = byte * input.scale + input.offset;
  return {
    cell,
    kind: 'Input',
    source: '',
    work: { step: 'pixel', byte, scale: input.scale, offset: input.offset },
    bias: null,
    sum,
    activation: 'linear',
    slope: LEAKY_SLOPE,
    normalizer: null,
    computed: sum,
    replaced: null,
    value: sum,
    // As the engine computes it in float32, which rounds after each operation.
    shown: Math.fround(Math.fround(byte * Math.fround(input.scale)) + Math.fround(input.offset)),
  };
}

// The output of a layer, or the scaled image, as the next layer reads it.
interface LayerValues {
  name: string;
  shape: Shape;
  at(i: number): number; // value i of the flat output, see `indexIn`
}

// Returns the output of layer `index`; -1 is the image.
function outputAt(pass: ForwardPass, index: number): LayerValues {
  if (index >= 0) {
    const [row, values] = [pass.table[index], pass.activations[index]];
    return { name: row.layer.name, shape: row.outputShape, at: (i) => values[i] };
  }
  const { height, width, channels, scale, offset } = pass.input;
  return { name: 'input', shape: [height, width, channels], at: (i) => pass.pixels[i] * scale + offset };
}

// The index of a cell in a flat output (rows, columns, maps).
function indexIn(shape: Shape, { map, row, column }: Omit<Cell, 'layer'>): number {
  const [, width, channels] = sizesOf(shape);
  return (row * width + column) * channels + map;
}

function workOf(pass: ForwardPass, row: LayerRow, input: LayerValues, cell: Cell): CellWork {
  const { kind, name } = row.layer;
  const weight = (part: string) => pass.weights[`${name}/${part}`];
  switch (kind) {
    case 'Conv2D':
    case 'DepthwiseConv2D':
      return { step: 'products', channels: channelsRead(row, input, weight('kernel'), cell) };
    case 'MaxPooling2D':
    case 'GlobalMaxPooling2D': {
      const window = windowOf(row, input, cell, cell.map);
      let winner = -1;
      window.values.forEach((value, i) => {
        if (!Number.isNaN(value) && (winner < 0 || value > window.values[winner])) winner = i;
      });
      return { step: 'largest', window, winner };
    }
    case 'AveragePooling2D':
    case 'GlobalAveragePooling2D': {
      const window = windowOf(row, input, cell, cell.map);
      const inside = window.values.filter((value) => !Number.isNaN(value));
      return { step: 'mean', window, count: inside.length, total: inside.reduce((a, b) => a + b, 0) };
    }
    case 'Dense':
      return { step: 'weighted', terms: termsOf(input, weight('kernel'), row.outputShape[0], cell.map) };
    case 'BatchNormalization':
      return {
        step: 'normalised',
        value: input.at(indexIn(row.inputShape, cell)),
        mean: weight('moving_mean')[cell.map],
        variance: weight('moving_variance')[cell.map],
        epsilon: row.layer.epsilon ?? 1e-3,
        gamma: weight('gamma')[cell.map],
        beta: weight('beta')[cell.map],
      };
    case 'LayerNormalization':
    case 'GroupNormalization': {
      const value = input.at(indexIn(row.inputShape, cell));
      const set = normalizedWith(row, cell).map((i) => input.at(i));
      const mean = set.reduce((a, b) => a + b, 0) / set.length;
      const variance = set.reduce((sum, x) => sum + (x - mean) ** 2, 0) / set.length;
      const [gamma, beta] = [weight('gamma')[cell.map], weight('beta')[cell.map]];
      return { step: 'normalised', value, mean, variance, epsilon: row.layer.epsilon ?? 1e-3, gamma, beta };
    }
    case 'Add':
    case 'Multiply': {
      const earlier = outputAt(pass, earlierOf(pass.table, row.index)!);
      const isOfPixel = product(input.shape) < product(earlier.shape); // a number for each map
      const cells: [Cell, Cell] = [
        { ...cell, layer: input.name, ...(isOfPixel ? { row: 0, column: 0 } : {}) },
        { ...cell, layer: earlier.name },
      ];
      return {
        step: kind === 'Add' ? 'added' : 'multiplied',
        value: input.at(indexIn(input.shape, cells[0])),
        other: earlier.at(indexIn(earlier.shape, cell)),
        cells,
      };
    }
    case 'SoftVoting':
      return { step: 'voted', ...votesOf(input, row.layer.members!, row.outputShape[0], cell.map) };
    case 'Concatenate':
    case 'Flatten':
    case 'ZeroPadding2D':
    case 'Dropout':
    case 'Activation':
    case 'PReLU':
    case 'Branch': {
      const from = originOf(pass, row, input, cell);
      return from === null ? { step: 'zero' } : { step: 'copied', value: input.at(indexIn(input.shape, from)), from };
    }
    default:
      throw new Error(`no arithmetic for ${kind}`);
  }
}

// Lists the numbers of the input that are normalised together with a cell: those of its pixel, or of its group of maps.
function normalizedWith(row: LayerRow, cell: Cell): number[] {
  const [height, width, channels] = sizesOf(row.inputShape);
  if (row.layer.kind === 'LayerNormalization') {
    return Array.from({ length: channels }, (_, map) => indexIn(row.inputShape, { ...cell, map }));
  }
  const size = channels / (row.layer.groups ?? 32);
  const first = Math.floor(cell.map / size) * size;
  return Array.from({ length: height * width * size }, (_, i) => Math.floor(i / size) * channels + first + (i % size));
}

// Finds the cell of the input that a layer moves to `cell` or passes on; null in the padding. A Concatenate of maps 0 1
// and maps 0 1 2 has maps 0 1 | 2 3 4: its map 3 is map 1 of the second layer. `input` is the layer of the map.
function originOf(pass: ForwardPass, row: LayerRow, input: LayerValues, cell: Cell): Cell | null {
  if (row.layer.kind === 'Flatten') return { layer: input.name, ...unflatten(row.inputShape, cell.map) };
  if (row.layer.kind === 'ZeroPadding2D') {
    const { values, top, left } = windowOf(row, input, cell, cell.map); // of one value
    return Number.isNaN(values[0]) ? null : { ...cell, layer: input.name, row: top, column: left };
  }
  const numEarlier = channelsOfEarlier(pass.table, row.index); // 0 unless the layer is a Concatenate
  return { ...cell, layer: input.name, map: cell.map < numEarlier ? cell.map : cell.map - numEarlier };
}

// Multiplies the windows of a convolution's cell, one for each channel that its filter reads: of a depthwise convolution one.
function channelsRead(row: LayerRow, input: LayerValues, kernel: Float32Array, cell: Cell): Channel[] {
  const filters = row.outputShape[2];
  const { first, count } = mapsReadBy(row, cell.map);
  return Array.from({ length: count }, (_, c) =>
    multiplyWindow(windowOf(row, input, cell, first + c), kernel, count * filters, c * filters + cell.map),
  );
}

// Reads the window of a cell in one map of its input: NaN where it reaches over the edge. With 3 x 3 values, stride 1 and
// padding 1, the window of cell (0, 0) begins at (-1, -1), so its first row and its first column are NaN.
function windowOf(row: LayerRow, input: LayerValues, cell: Cell, map: number): WindowValues {
  if (row.window === null) throw new Error(`${row.layer.name} has no window`);
  const { size, strides, dilation, padding } = row.window;
  const [height, width, channels] = sizesOf(input.shape);
  const top = cell.row * strides[0] - padding[0];
  const left = cell.column * strides[1] - padding[1];
  const values = Array.from({ length: size[0] * size[1] }, (_, i) => {
    const r = top + Math.floor(i / size[1]) * dilation[0];
    const c = left + (i % size[1]) * dilation[1];
    const inside = r >= 0 && r < height && c >= 0 && c < width;
    return inside ? input.at((r * width + c) * channels + map) : NaN;
  });
  return { map, top, left, rows: size[0], columns: size[1], dilation, values };
}

// Multiplies value i of the window by its weight, kernel[i * step + first]. In a kernel (rows, columns, channels,
// filters) the weights of a channel and filter are channels * filters apart; a depthwise kernel has one channel for
// each filter, so theirs are `filters` apart. A product outside the map is zero.
function multiplyWindow(window: WindowValues, kernel: Float32Array, step: number, first: number): Channel {
  const weights = window.values.map((_, i) => kernel[i * step + first]);
  const products = window.values.map((value, i) => (Number.isNaN(value) ? 0 : value * weights[i]));
  return { ...window, kernel: weights, products, sum: products.reduce((a, b) => a + b, 0) };
}

// Lists the products of a unit of a dense layer, whose kernel is (inputs, units), the largest first.
function termsOf(source: LayerValues, kernel: Float32Array, units: number, unit: number): Term[] {
  const terms = Array.from({ length: source.shape[0] }, (_, input) => {
    const value = source.at(input);
    const weight = kernel[input * units + unit];
    return { input, value, weight, product: value * weight };
  });
  return terms.sort((a, b) => Math.abs(b.product) - Math.abs(a.product));
}

// Averages a class's probability over the members of an ensemble, and their log Σ exp(logit). The input holds the logits of
// one member after the other. The output is log(mean) + strength, so that its softmax is the mean probability.
function votesOf(input: LayerValues, members: number, classes: number, unit: number) {
  let [mean, strength] = [0, 0];
  for (let i = 0; i < members; i++) {
    const logits = Array.from({ length: classes }, (_, k) => input.at(i * classes + k));
    const { largest, total } = normalizerOf(logits);
    mean += Math.exp(logits[unit] - largest) / total / members;
    strength += (largest + Math.log(total)) / members;
  }
  return { members, mean, strength };
}

// Computes the result of the work, before bias and activation.
function resultOf(work: CellWork): number {
  switch (work.step) {
    case 'products':
      return work.channels.reduce((sum, channel) => sum + channel.sum, 0);
    case 'largest':
      return work.window.values[work.winner];
    case 'mean':
      return work.total / work.count;
    case 'weighted':
      return work.terms.reduce((sum, term) => sum + term.product, 0);
    case 'normalised':
      return (work.gamma * (work.value - work.mean)) / Math.sqrt(work.variance + work.epsilon) + work.beta;
    case 'added':
      return work.value + work.other;
    case 'multiplied':
      return work.value * work.other;
    case 'copied':
      return work.value;
    case 'voted':
      return Math.log(work.mean) + work.strength;
    case 'zero':
      return 0;
    case 'pixel':
      return work.byte * work.scale + work.offset;
  }
}
