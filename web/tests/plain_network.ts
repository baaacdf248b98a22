// A network in plain loops, to compare the page's results with. It computes shapes and padding by itself.
import type { Architecture, LayerSpec, Weights } from '../src/engine/types';

export interface PlainMap {
  rows: number;
  columns: number;
  channels: number;
  values: Float64Array; // (rows, columns, channels)
}

export interface PlainForward {
  activations: Float64Array[];
  logits: Float64Array;
}

function emptyMap(rows: number, columns: number, channels: number): PlainMap {
  return { rows, columns, channels, values: new Float64Array(rows * columns * channels) };
}

// The error function by Simpson's rule, which is slow and exact enough.
function erf(x: number): number {
  const steps = 2000;
  const h = x / steps;
  let sum = 1 + Math.exp(-x * x);
  for (let i = 1; i < steps; i++) sum += (i % 2 === 1 ? 4 : 2) * Math.exp(-((i * h) ** 2));
  return ((2 / Math.sqrt(Math.PI)) * sum * h) / 3;
}

const FUNCTIONS: Record<string, (x: number) => number> = {
  linear: (x) => x,
  softmax: (x) => x, // applied to the logits at the end
  relu: (x) => Math.max(x, 0),
  relu6: (x) => Math.max(x, 0) - Math.max(x - 6, 0),
  elu: (x) => Math.max(x, 0) + Math.exp(Math.min(x, 0)) - 1,
  selu: (x) => 1.0507009873554805 * Math.max(x, 0) + 1.7580993408473766 * (Math.exp(Math.min(x, 0)) - 1),
  silu: (x) => (x * Math.exp(x)) / (1 + Math.exp(x)),
  hard_sigmoid: (x) => Math.min(Math.max(x / 6 + 0.5, 0), 1),
  hard_silu: (x) => x * Math.min(Math.max(x / 6 + 0.5, 0), 1),
  gelu: (x) => (x * (1 + erf(x / Math.SQRT2))) / 2,
  tanh: (x) => (Math.exp(2 * x) - 1) / (Math.exp(2 * x) + 1),
  sigmoid: (x) => Math.exp(x) / (1 + Math.exp(x)),
};

// Finds the first pixel that the first window reads: 0, or negative where padding stands before the map.
function firstPixel(size: number, kernel: number, stride: number, padding: string): number {
  if (padding === 'valid') return 0;
  const outputs = Math.ceil(size / stride);
  return -Math.floor(Math.max((outputs - 1) * stride + kernel - size, 0) / 2);
}

// A pixel that a window reads: its row and column in the map, and the row and column of the kernel there.
type Read = [row: number, column: number, kernelRow: number, kernelColumn: number];

// Calls `visit` for each pixel of the output, row by row, with what its window reads. Returns an empty output.
function windows(
  layer: LayerSpec,
  input: PlainMap,
  channels: number,
  visit: (pixel: number, reads: Read[]) => void,
): PlainMap {
  const [kernelRows, kernelColumns] = layer.kernel_size ?? layer.pool_size!;
  const [rowStride, columnStride] = layer.strides!;
  const [rowDilation, columnDilation] = layer.dilation_rate ?? [1, 1];
  const [high, wide] = [(kernelRows - 1) * rowDilation + 1, (kernelColumns - 1) * columnDilation + 1];
  const padding = layer.padding as string;
  const count = (size: number, kernel: number, stride: number) =>
    padding === 'same' ? Math.ceil(size / stride) : Math.floor((size - kernel) / stride) + 1;
  const output = emptyMap(count(input.rows, high, rowStride), count(input.columns, wide, columnStride), channels);
  const top = firstPixel(input.rows, high, rowStride, padding);
  const left = firstPixel(input.columns, wide, columnStride, padding);
  for (let y = 0; y < output.rows; y++) {
    for (let x = 0; x < output.columns; x++) {
      const reads: Read[] = [];
      for (let r = 0; r < kernelRows; r++) {
        for (let c = 0; c < kernelColumns; c++) {
          const row = top + y * rowStride + r * rowDilation;
          const column = left + x * columnStride + c * columnDilation;
          if (row >= 0 && row < input.rows && column >= 0 && column < input.columns) reads.push([row, column, r, c]);
        }
      }
      visit(y * output.columns + x, reads);
    }
  }
  return output;
}

// Computes a layer's output before its activation. `byName` has the outputs of earlier layers.
function layerOutput(layer: LayerSpec, input: PlainMap, byName: Map<string, PlainMap>, weights: Weights): PlainMap {
  const weight = (part: string) => weights[`${layer.name}/${part}`];
  const value = (row: number, column: number, channel: number) =>
    input.values[(row * input.columns + column) * input.channels + channel];
  // Computes each number of the output from what its window reads.
  const collect = (channels: number, compute: (channel: number, reads: Read[]) => number) => {
    const numbers: number[] = [];
    const output = windows(layer, input, channels, (pixel, reads) => {
      for (let k = 0; k < channels; k++) numbers[pixel * channels + k] = compute(k, reads);
    });
    output.values.set(numbers);
    return output;
  };
  const bias = (k: number) => weight('bias')?.[k] ?? 0;
  switch (layer.kind) {
    case 'Conv2D': // the kernel is (row, column, map of the group, filter)
      return collect(layer.filters!, (f, reads) => {
        let sum = bias(f);
        const groups = layer.groups ?? 1;
        const read = input.channels / groups;
        const first = Math.floor(f / (layer.filters! / groups)) * read;
        for (const [row, column, r, c] of reads) {
          for (let k = 0; k < read; k++) {
            const offset = ((r * layer.kernel_size![1] + c) * read + k) * layer.filters! + f;
            sum += value(row, column, first + k) * weight('kernel')[offset];
          }
        }
        return sum;
      });
    case 'DepthwiseConv2D': {
      // The kernel is (row, column, map of the input, which of its outputs).
      const multiplier = layer.depth_multiplier!;
      return collect(input.channels * multiplier, (o, reads) => {
        const k = Math.floor(o / multiplier);
        let sum = bias(o);
        for (const [row, column, r, c] of reads) {
          const offset = ((r * layer.kernel_size![1] + c) * input.channels + k) * multiplier + (o % multiplier);
          sum += value(row, column, k) * weight('kernel')[offset];
        }
        return sum;
      });
    }
    case 'MaxPooling2D':
      return collect(input.channels, (k, reads) => Math.max(...reads.map(([row, column]) => value(row, column, k))));
    case 'AveragePooling2D':
      return collect(
        input.channels,
        (k, reads) => reads.reduce((sum, [row, column]) => sum + value(row, column, k), 0) / reads.length,
      );
    case 'GlobalMaxPooling2D':
    case 'GlobalAveragePooling2D': {
      const output = emptyMap(1, 1, input.channels);
      for (let k = 0; k < input.channels; k++) {
        const all = input.values.filter((_, i) => i % input.channels === k);
        output.values[k] =
          layer.kind === 'GlobalMaxPooling2D' ? Math.max(...all) : all.reduce((a, b) => a + b) / all.length;
      }
      return output;
    }
    case 'Flatten':
      return { rows: 1, columns: 1, channels: input.values.length, values: input.values.slice() };
    case 'ZeroPadding2D': {
      const [[above, below], [left, right]] = layer.padding as [[number, number], [number, number]];
      const output = emptyMap(above + input.rows + below, left + input.columns + right, input.channels);
      input.values.forEach((x, i) => {
        const position = Math.floor(i / input.channels);
        const row = above + Math.floor(position / input.columns);
        const column = left + (position % input.columns);
        output.values[(row * output.columns + column) * input.channels + (i % input.channels)] = x;
      });
      return output;
    }
    case 'Dropout':
    case 'Activation':
      return { ...input, values: input.values.slice() };
    case 'PReLU':
      return { ...input, values: input.values.map((x, i) => (x > 0 ? x : x * weight('alpha')[i % input.channels])) };
    case 'BatchNormalization': {
      const scaled = input.values.map((x, i) => {
        const k = i % input.channels;
        const h = (x - weight('moving_mean')[k]) / Math.sqrt(weight('moving_variance')[k] + layer.epsilon!);
        return h * weight('gamma')[k] + weight('beta')[k];
      });
      return { ...input, values: scaled };
    }
    case 'LayerNormalization':
    case 'GroupNormalization': {
      const [all, groups] = [input.channels, layer.groups ?? 1];
      const setOf = (i: number) =>
        layer.kind === 'LayerNormalization' ? Math.floor(i / all) : Math.floor(((i % all) * groups) / all);
      const normalized = input.values.map((x, i) => {
        const set = input.values.filter((_, k) => setOf(k) === setOf(i));
        const mean = set.reduce((a, b) => a + b) / set.length;
        const variance = set.reduce((sum, value) => sum + (value - mean) ** 2, 0) / set.length;
        return ((x - mean) / Math.sqrt(variance + layer.epsilon!)) * weight('gamma')[i % all] + weight('beta')[i % all];
      });
      return { ...input, values: normalized };
    }
    case 'Add':
      return { ...input, values: input.values.map((x, i) => x + byName.get(layer.from_layer!)!.values[i]) };
    case 'Multiply': {
      const earlier = byName.get(layer.from_layer!)!;
      return { ...earlier, values: earlier.values.map((x, i) => x * input.values[i % input.values.length]) };
    }
    case 'Branch':
      return { ...byName.get(layer.from_layer!)! };
    case 'Concatenate': {
      const first = byName.get(layer.from_layer!)!;
      const output = emptyMap(input.rows, input.columns, first.channels + input.channels);
      output.values.forEach((_, i) => {
        const [position, channel] = [Math.floor(i / output.channels), i % output.channels];
        output.values[i] =
          channel < first.channels
            ? first.values[position * first.channels + channel]
            : input.values[position * input.channels + channel - first.channels];
      });
      return output;
    }
    case 'SoftVoting': {
      const members = layer.members!;
      const classes = input.channels / members;
      const output = emptyMap(1, 1, classes);
      const means = new Float64Array(classes);
      let strength = 0;
      for (let i = 0; i < members; i++) {
        const logits = Array.from(input.values.slice(i * classes, (i + 1) * classes));
        const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
        logits.forEach((logit, k) => (means[k] += Math.exp(logit) / total / members));
        strength += Math.log(total) / members;
      }
      output.values.forEach((_, k) => (output.values[k] = Math.log(means[k]) + strength));
      return output;
    }
    case 'Dense': {
      const output = emptyMap(1, 1, layer.units!);
      for (let u = 0; u < layer.units!; u++) {
        output.values[u] = bias(u);
        for (let i = 0; i < input.channels; i++)
          output.values[u] += input.values[i] * weight('kernel')[i * layer.units! + u];
      }
      return output;
    }
    default:
      throw new Error(layer.kind);
  }
}

// Computes all layers, with an optional replacement for the output of a layer's filter.
export function plainForward(
  { input, layers }: Architecture,
  weights: Weights,
  pixels: Uint8Array,
  replaced?: { layer: string; filter: number; value: number },
): PlainForward {
  let map: PlainMap = {
    rows: input.height,
    columns: input.width,
    channels: input.channels,
    values: Float64Array.from(pixels, (byte) => byte * input.scale + input.offset),
  };
  const image = map;
  const byName = new Map([['input', image]]);
  let logits = new Float64Array();
  for (const layer of layers) {
    map = layerOutput(layer, map, byName, weights);
    logits = map.values.slice();
    const activation = layer.activation ?? 'linear';
    const slope = layer.negative_slope ?? 0.2;
    map.values = map.values.map(activation === 'leaky_relu' ? (x) => (x > 0 ? x : slope * x) : FUNCTIONS[activation]);
    if (activation === 'softmax') {
      const total = logits.reduce((sum, z) => sum + Math.exp(z), 0);
      map.values = logits.map((z) => Math.exp(z) / total);
    }
    if (replaced?.layer === layer.name) {
      for (let i = replaced.filter; i < map.values.length; i += map.channels) map.values[i] = replaced.value;
    }
    byName.set(layer.name, map);
  }
  return { activations: layers.map(({ name }) => byName.get(name)!.values), logits };
}
