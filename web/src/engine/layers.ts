// The kinds of layers, by their names in Keras: output shape, weights, window and number of multiply-adds.
import type en from 'catalogues/en.json';
import { TextError } from '../text/error';
import type { PaddingFrame, LayerSpec, Shape, Window } from './types';

// The reason why an architecture is not a valid network, as a sentence for its author.
export class ArchitectureError extends TextError {
  override name = 'ArchitectureError';
}

export interface LayerKind {
  term: keyof typeof en.terms; // in the glossary
  window?: (layer: LayerSpec, input: Shape) => Window; // only layers that read a map window by window have it
  outputShape: (layer: LayerSpec, input: Shape) => Shape;
  weightShapes?: (layer: LayerSpec, input: Shape) => Record<string, Shape>;
  macs?: (layer: LayerSpec, input: Shape) => number;
  counts?: ('filters' | 'units' | 'depth_multiplier' | 'groups' | 'members')[]; // arguments that are whole numbers
  hasActivation?: boolean;
  isLinear?: boolean; // the output is linear in the input, apart from the activation and a constant
}

// Names of weights that have no gradient.
export const NON_TRAINABLE_WEIGHTS = ['moving_mean', 'moving_variance'];

export function product(numbers: number[]): number {
  return numbers.reduce((result, n) => result * n, 1);
}

export function formatShape(shape: readonly number[]): string {
  return shape.join(' × ');
}

export const nameAndKind = ({ name, kind }: LayerSpec) => ({ layer: name, kind });

function requireMaps(layer: LayerSpec, input: Shape): void {
  if (input.length !== 3) {
    throw new ArchitectureError('refused.network.maps', { ...nameAndKind(layer), n: input[0] });
  }
}

// Counts the zeros before the first of `size` pixels. `same` padding gives ceil(size / stride) outputs, so it needs
// (outputs - 1) * stride + kernel - size zeros in all. Of an odd number, one more stands after the last pixel, as in TensorFlow.
function leadingPadding(size: number, kernel: number, stride: number, { padding }: LayerSpec): number {
  if (padding !== 'same') return 0;
  return Math.floor(Math.max((Math.ceil(size / stride) - 1) * stride + kernel - size, 0) / 2);
}

function windowOf(layer: LayerSpec, input: Shape, size: [number, number], strides: [number, number]): Window {
  requireMaps(layer, input);
  const dilation = layer.dilation_rate ?? [1, 1];
  const reach: [number, number] = [(size[0] - 1) * dilation[0] + 1, (size[1] - 1) * dilation[1] + 1];
  const before = (axis: 0 | 1) => leadingPadding(input[axis], reach[axis], strides[axis], layer);
  return { size, dilation, reach, strides, padding: [before(0), before(1)] };
}

const unitStrideWindow = (size: [number, number], padding: [number, number]): Window => ({
  size,
  dilation: [1, 1],
  reach: size,
  strides: [1, 1],
  padding,
});

// Computes the rows and columns of the output of a layer with windows.
function mapSize(layer: LayerSpec, input: Shape, { reach, strides }: Window): [number, number] {
  const outputs = ([0, 1] as const).map((axis) =>
    layer.padding === 'same'
      ? Math.ceil(input[axis] / strides[axis])
      : Math.floor((input[axis] - reach[axis]) / strides[axis]) + 1,
  ) as [number, number];
  if (Math.min(...outputs) < 1) {
    const sizes = { window: formatShape(reach), map: formatShape(input.slice(0, 2)) };
    throw new ArchitectureError('refused.network.window', { ...nameAndKind(layer), ...sizes });
  }
  return outputs;
}

function withBias(layer: LayerSpec, kernel: Shape, outputs: number): Record<string, Shape> {
  return layer.use_bias === false ? { kernel } : { kernel, bias: [outputs] };
}

export const kernelSize = (layer: LayerSpec): [number, number] => layer.kernel_size ?? [3, 3];

const convolutionWindow = (layer: LayerSpec, input: Shape): Window =>
  windowOf(layer, input, kernelSize(layer), layer.strides ?? [1, 1]);

// Finds the consecutive maps that a filter of a convolution reads: all, or those of its group. Of 4 filters in 2 groups
// over 6 maps, filters 0 and 1 read maps 0 to 2, and filters 2 and 3 read maps 3 to 5.
export function mapsRead(layer: LayerSpec, input: Shape, filter: number): { first: number; count: number } {
  const { groups = 1 } = layer;
  const count = input[2] / groups;
  if (groups === 1) return { first: 0, count };
  return { first: Math.floor((filter * groups) / layer.filters!) * count, count };
}

const convolution: LayerKind = {
  term: 'convolution',
  window: convolutionWindow,
  outputShape: (layer, input) => {
    const size = mapSize(layer, input, convolutionWindow(layer, input));
    const { groups = 1, filters } = layer;
    if (input[2] % groups > 0 || filters! % groups > 0) {
      throw new ArchitectureError('refused.network.groups', {
        ...nameAndKind(layer),
        groups,
        n: input[2],
        filters: filters!,
      });
    }
    return [...size, filters!];
  },
  weightShapes: (layer, input) =>
    withBias(layer, [...kernelSize(layer), mapsRead(layer, input, 0).count, layer.filters!], layer.filters!),
  macs: (layer, input) =>
    product(convolution.outputShape(layer, input)) * product(kernelSize(layer)) * mapsRead(layer, input, 0).count,
  counts: ['filters', 'groups'],
  isLinear: true,
  hasActivation: true,
};

const multiplier = (layer: LayerSpec): number => layer.depth_multiplier ?? 1;

const depthwise: LayerKind = {
  term: 'depthwise convolution',
  window: convolutionWindow,
  outputShape: (layer, input) => [
    ...mapSize(layer, input, convolutionWindow(layer, input)),
    input[2] * multiplier(layer),
  ],
  weightShapes: (layer, input) =>
    withBias(layer, [...kernelSize(layer), input[2], multiplier(layer)], input[2] * multiplier(layer)),
  macs: (layer, input) => product(depthwise.outputShape(layer, input)) * product(kernelSize(layer)),
  counts: ['depth_multiplier'],
  isLinear: true,
  hasActivation: true,
};

const poolingWindow = (layer: LayerSpec, input: Shape): Window => {
  const size = layer.pool_size ?? [2, 2];
  return windowOf(layer, input, size, layer.strides ?? size);
};

const pooling: LayerKind = {
  term: 'max pooling',
  window: poolingWindow,
  outputShape: (layer, input) => [...mapSize(layer, input, poolingWindow(layer, input)), input[2]],
};

const globalPooling: LayerKind = {
  term: 'global pooling',
  window: (layer, input) => {
    requireMaps(layer, input);
    return unitStrideWindow([input[0], input[1]], [0, 0]);
  },
  outputShape: (_, input) => [input[2]],
};

const dense: LayerKind = {
  term: 'dense',
  outputShape: (layer, input) => {
    if (input.length !== 1) {
      throw new ArchitectureError('refused.network.vector', { ...nameAndKind(layer), map: formatShape(input) });
    }
    return [layer.units!];
  },
  weightShapes: (layer, input) => withBias(layer, [input[0], layer.units!], layer.units!),
  macs: (layer, input) => input[0] * layer.units!,
  counts: ['units'],
  isLinear: true,
  hasActivation: true,
};

export const paddingFrame = (layer: LayerSpec): PaddingFrame =>
  Array.isArray(layer.padding)
    ? layer.padding
    : [
        [1, 1],
        [1, 1],
      ];

const zeroPadding: LayerKind = {
  term: 'zero padding',
  window: (layer, input) => {
    requireMaps(layer, input);
    const [[above], [left]] = paddingFrame(layer);
    return unitStrideWindow([1, 1], [above, left]);
  },
  outputShape: (layer, [height, width, channels]) => {
    const [[above, below], [left, right]] = paddingFrame(layer);
    return [above + height + below, left + width + right, channels];
  },
  isLinear: true,
};

const sameShape = (_: LayerSpec, input: Shape): Shape => input;

const normalization: LayerKind = {
  term: 'batch normalisation',
  outputShape: sameShape,
  weightShapes: (_, input) => {
    const channels = input.slice(-1);
    return { gamma: channels, beta: channels, moving_mean: channels, moving_variance: channels };
  },
  isLinear: true,
  hasActivation: true,
};

const scaledByChannel = (_: LayerSpec, input: Shape) => ({ gamma: input.slice(-1), beta: input.slice(-1) });

const groupNormalization: LayerKind = {
  term: 'group normalisation',
  outputShape: (layer, input) => {
    if (input.at(-1)! % (layer.groups ?? 32) > 0) {
      throw new ArchitectureError('refused.network.groups', {
        ...nameAndKind(layer),
        groups: layer.groups ?? 32,
        n: input.at(-1)!,
        filters: input.at(-1)!,
      });
    }
    return input;
  },
  weightShapes: scaledByChannel,
  counts: ['groups'],
};

const softVoting: LayerKind = {
  term: 'soft voting',
  outputShape: (layer, input) => {
    if (input.length !== 1) {
      throw new ArchitectureError('refused.network.vector', { ...nameAndKind(layer), map: formatShape(input) });
    }
    const classes = input[0] / layer.members!;
    if (!Number.isInteger(classes)) {
      throw new ArchitectureError('refused.network.members', {
        ...nameAndKind(layer),
        n: input[0],
        members: layer.members!,
      });
    }
    return [classes];
  },
  counts: ['members'],
};

export const LAYER_KINDS: Record<string, LayerKind> = {
  Conv2D: convolution,
  DepthwiseConv2D: depthwise,
  MaxPooling2D: pooling,
  AveragePooling2D: { ...pooling, term: 'average pooling', isLinear: true },
  GlobalMaxPooling2D: globalPooling,
  GlobalAveragePooling2D: { ...globalPooling, isLinear: true },
  Flatten: { term: 'flatten', outputShape: (_, input) => [product(input)], isLinear: true },
  ZeroPadding2D: zeroPadding,
  Dropout: { term: 'dropout', outputShape: sameShape, isLinear: true },
  BatchNormalization: normalization,
  LayerNormalization: { term: 'layer normalisation', outputShape: sameShape, weightShapes: scaledByChannel },
  GroupNormalization: groupNormalization,
  Activation: { term: 'activation function', outputShape: sameShape, isLinear: true, hasActivation: true },
  PReLU: { term: 'prelu', outputShape: sameShape, weightShapes: (_, input) => ({ alpha: input.slice(-1) }) },
  Add: { term: 'addition', outputShape: sameShape, hasActivation: true },
  Multiply: { term: 'multiplication', outputShape: sameShape }, // `inputShape` is that of the earlier layer
  Branch: { term: 'branch', outputShape: sameShape },
  Concatenate: { term: 'concatenation', outputShape: sameShape }, // `inputShape` has the channels of both layers
  SoftVoting: softVoting,
  Dense: dense,
};
