// The names of layers and their parts in plain words.
import { expect, test } from 'vitest';
import { headings, inputHeading, partTitle } from '../src/bench/parts/headings';
import { explanationOf } from '../src/bench/lens/words';
import { layerTable } from '../src/engine/architecture';
import { LAYER_KINDS } from '../src/engine/layers';
import type { Architecture, LayerSpec, Shape } from '../src/engine/types';

const convolution = { kernel_size: [3, 3], strides: [1, 1], padding: 'same', use_bias: true } as const;
const layers: LayerSpec[] = [
  { ...convolution, kind: 'Conv2D', name: 'conv2d', filters: 4, activation: 'relu' } as LayerSpec,
  { kind: 'BatchNormalization', name: 'norm' },
  { kind: 'MaxPooling2D', name: 'pool', pool_size: [2, 2], strides: [2, 2], padding: 'valid' },
  { ...convolution, kind: 'DepthwiseConv2D', name: 'depthwise' } as LayerSpec,
  { ...convolution, kind: 'Conv2D', name: 'conv2d_1', filters: 4 } as LayerSpec,
  { kind: 'Add', name: 'add', from_layer: 'pool' },
  { kind: 'Branch', name: 'again', from_layer: 'input' },
  { ...convolution, kind: 'Conv2D', name: 'beside', filters: 2, strides: [2, 2] } as LayerSpec,
  { kind: 'Concatenate', name: 'both', from_layer: 'add' },
  { kind: 'ZeroPadding2D', name: 'zeros' },
  { kind: 'AveragePooling2D', name: 'mean', pool_size: [2, 2], strides: [2, 2], padding: 'valid' },
  { kind: 'GlobalAveragePooling2D', name: 'global' },
  { kind: 'Dropout', name: 'dropout', rate: 0.5 },
  { kind: 'Dense', name: 'dense', units: 5, activation: 'gelu' },
  { kind: 'Activation', name: 'function', activation: 'leaky_relu', negative_slope: 0.1 },
  { kind: 'Dense', name: 'out', units: 3 },
  { kind: 'Activation', name: 'shares', activation: 'softmax' },
];
const architecture: Architecture = {
  name: 'test',
  input: { height: 8, width: 8, channels: 1, scale: 1, offset: 0 },
  layers,
};
const table = layerTable(architecture);

test('layers are named in plain words, and several of one kind are numbered', () => {
  expect(headings(table).map(({ title, facts }) => `${title}: ${facts}`)).toEqual([
    'Convolution 1: 4 filters, 3 × 3',
    'Batch normalisation: rescales each map',
    'Max pooling: keeps the largest of 2 × 2',
    'Depthwise convolution: 3 × 3, each map by itself',
    'Convolution 2: 4 filters, 3 × 3',
    'Addition: adds Max pooling',
    'Branch: Input again',
    'Convolution 3: 2 filters, 3 × 3',
    'Concatenation: Addition first',
    'Zero padding: adds a border of zeros',
    'Average pooling: mean of 2 × 2',
    'Global average pooling: the mean of each map',
    'Dropout: active in training only',
    'Dense: 5 units',
    'Leaky ReLU: slope 0.1 below zero',
    'Output: 3 logits',
    'Softmax: 3 probabilities',
  ]);
  expect(inputHeading([28, 20, 3]).facts).toBe('28 × 20 × 3 pixels');
});

test('a part is a filter, a map, a unit, a class or a channel, with the title of its layer', () => {
  const titled = (layer: string) => partTitle(table, layer, 1, ['a', 'b', 'c']);
  expect(['conv2d', 'pool', 'dense', 'out', 'shares', 'input'].map(titled)).toEqual([
    'Convolution 1, filter 1',
    'Max pooling, map 1',
    'Dense, unit 1',
    'Output, class b',
    'Softmax, class b',
    'Input',
  ]);
  const colour = table.map((row, i) => (i > 0 ? row : { ...row, inputShape: [8, 8, 3] as Shape }));
  expect(partTitle(colour, 'input', 1, [])).toBe('Input, green');
});

test('every kind of layer has a name and an explanation of its own', () => {
  const kinds = Object.keys(LAYER_KINDS);
  const rows = kinds.map((kind) => ({ ...table[0], layer: { ...table[0].layer, kind } }));
  const texts = rows.map((row) => explanationOf(row, false, architecture.input));
  expect(new Set(texts).size).toBe(kinds.length);
  expect(explanationOf(table[2], false, architecture.input)).not.toMatch(/weight/); // pooling has none
});
