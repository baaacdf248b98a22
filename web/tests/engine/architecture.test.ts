// The layer table against the one that Python writes, and what makes no network.
import { describe, expect, test } from 'vitest';
import { ArchitectureError, layerTable, logitsRow, rowNamed } from '../../src/engine/architecture';
import { initialWeights } from '../../src/engine/initialization';
import type { LayerSpec } from '../../src/engine/types';
import { refusal } from '../refusal';
import { readCases } from './cases';

const cases = await readCases();
const input = { height: 8, width: 6, channels: 1, scale: 1 / 255, offset: 0 };
const flatten: LayerSpec = { kind: 'Flatten', name: 'flatten' };
const dense: LayerSpec = { kind: 'Dense', name: 'dense', units: 3, activation: 'softmax' };

test.each(cases)('the table of $architecture.name is that of Python', ({ architecture, table }) => {
  const own = layerTable(architecture);
  expect(own.map(({ index, layer, ...row }) => [index, layer, row])).toEqual(
    table.map((row, index) => [index, architecture.layers[index], row]),
  );
});

test('logits are the output of the last layer before a final linear or softmax activation', () => {
  const of = (...activations: LayerSpec['activation'][]) => {
    const behind = activations.map((activation, i): LayerSpec => ({ kind: 'Activation', name: `a${i}`, activation }));
    const layers = [flatten, { ...dense, activation: behind.length > 0 ? ('linear' as const) : dense.activation }];
    return logitsRow(layerTable({ name: 'ends', input, layers: [...layers, ...behind] })).layer.name;
  };
  expect(of()).toBe('dense');
  expect(of('softmax')).toBe('dense');
  expect(of('linear', 'softmax')).toBe('dense');
  expect(of('relu', 'softmax')).toBe('a0');
});

test('a row is found by its name', () => {
  const table = layerTable({ name: 'linear', input, layers: [flatten, dense] });
  expect(rowNamed(table, 'dense').parameters).toBe(48 * 3 + 3);
  expect(() => rowNamed(table, 'conv2d')).toThrow('There is no layer conv2d; the layers are flatten, dense.');
});

const conv = (change: Partial<LayerSpec> = {}): LayerSpec => ({
  kind: 'Conv2D',
  name: 'conv2d',
  filters: 2,
  ...change,
});

test.each<[string, LayerSpec[], string]>([
  ['no layer', [], 'at least one layer'],
  ['an unknown kind', [{ kind: 'constructor', name: 'a' }, flatten, dense], 'a is a constructor'],
  ['two of one name', [flatten, { ...dense, name: 'flatten' }], 'Two layers are called flatten'],
  ['a name with blanks', [{ ...flatten, name: 'a b' }, dense], "'a b' is not a valid layer name"],
  ['the name of the image', [{ ...flatten, name: 'input' }, dense], "'input' is not a valid layer name"],
  ['half a filter', [conv({ filters: 1.5 }), flatten, dense], 'filters must be a whole number from 1 to 65536'],
  ['no filters', [conv({ filters: undefined }), flatten, dense], 'filters must be a whole number'],
  ['a flat kernel', [conv({ kernel_size: [0, 3] }), flatten, dense], 'kernel_size must be two whole numbers'],
  [
    'a padding by a word',
    [{ kind: 'ZeroPadding2D', name: 'p', padding: 'same' }, flatten, dense],
    'padding must be two pairs of whole numbers from 0 to 1024',
  ],
  [
    'a padding below zero',
    [
      {
        kind: 'ZeroPadding2D',
        name: 'p',
        padding: [
          [0, -1],
          [0, 0],
        ],
      },
      flatten,
      dense,
    ],
    'two pairs of whole numbers from 0',
  ],
  [
    'a padding of a vector',
    [flatten, { kind: 'ZeroPadding2D', name: 'p' }, dense],
    'needs maps, but its input is a vector',
  ],
  [
    'a frame for a window',
    [
      conv({
        padding: [
          [1, 1],
          [1, 1],
        ],
      }),
      flatten,
      dense,
    ],
    'padding must be valid or same',
  ],
  [
    'a slope below zero',
    [{ kind: 'Activation', name: 'a', activation: 'leaky_relu', negative_slope: -1 }, flatten, dense],
    'negative_slope must be 0 or more',
  ],
  [
    'an endless slope',
    [{ kind: 'Activation', name: 'a', activation: 'leaky_relu', negative_slope: 1e39 }, flatten, dense],
    'negative_slope must be 0 or more',
  ],
  [
    'a relu that is the last layer',
    [flatten, { ...dense, activation: 'linear' }, { kind: 'Activation', name: 'a', activation: 'relu' }],
    'must be softmax or linear',
  ],
  ['an unknown padding', [conv({ padding: 'full' as 'same' }), flatten, dense], 'padding must be valid or same'],
  [
    'an unknown activation',
    [conv({ activation: 'celu' as 'gelu' }), flatten, dense],
    'activation must be one of linear',
  ],
  [
    'a window too large',
    [conv({ kernel_size: [9, 3] }), flatten, dense],
    'a window of 9 × 3 does not fit a map of 8 × 6',
  ],
  ['maps for a dense layer', [dense], 'needs a vector, but its input is maps of 8 × 6 × 1'],
  ['a vector for a convolution', [flatten, conv(), dense], 'needs maps, but its input is a vector of 48'],
  ['a dropout of all', [flatten, { kind: 'Dropout', name: 'dropout', rate: 1 }, dense], 'at least 0 and less than 1'],
  ['no epsilon', [{ kind: 'BatchNormalization', name: 'b', epsilon: 0 }, flatten, dense], 'epsilon must be above 0'],
  [
    'an unknown summand',
    [{ kind: 'Add', name: 'add', from_layer: 'x' }, flatten, dense],
    'add (Add) reads x, which is not an earlier layer',
  ],
  [
    'summands of two shapes',
    [conv(), conv({ name: 'conv2d_1' }), { kind: 'Add', name: 'add', from_layer: 'conv2d' }, flatten, dense],
    'adds conv2d of 6 × 4 × 2 to conv2d_1 of 4 × 2 × 2',
  ],
  [
    'a layer that nobody reads',
    [conv(), conv({ name: 'b' }), { kind: 'Branch', name: 'again', from_layer: 'conv2d' }, flatten, dense],
    'No layer reads b (Conv2D)',
  ],
  [
    'a branch without its layer',
    [conv(), { kind: 'Branch', name: 'again' }, flatten, dense],
    'which is not an earlier layer',
  ],
  [
    'a concatenation of two sizes',
    [conv(), conv({ name: 'b' }), { kind: 'Concatenate', name: 'both', from_layer: 'conv2d' }, flatten, dense],
    'joins conv2d of 6 × 4 × 2 and b of 4 × 2 × 2',
  ],
  [
    'a concatenation of nothing',
    [{ kind: 'Concatenate', name: 'both', from_layer: 'input' }, flatten, dense],
    'is the first layer',
  ],
  [
    'too many factors',
    [
      conv(),
      flatten,
      { ...dense, activation: 'linear', name: 'd', units: 3 },
      { kind: 'Multiply', name: 'weighted', from_layer: 'conv2d' },
      { ...flatten, name: 'f' },
      dense,
    ],
    'multiplies conv2d of 6 × 4 × 2 by d of 3',
  ],
  ['too many weights', [flatten, { ...dense, units: 65536 }, { ...dense, name: 'd', units: 65536 }], 'd is too large'],
  ['maps at the end', [conv()], 'conv2d ends the network with 6 × 4 × 2 numbers'],
  ['a single class', [flatten, { ...dense, units: 1 }], 'two or more'],
  ['a softmax within', [flatten, dense, { ...dense, name: 'dense_1' }], 'allowed in the last layer only'],
  [
    'a vote within',
    [flatten, { kind: 'SoftVoting', name: 'vote', members: 2 }, dense],
    'vote is a SoftVoting layer, which is allowed at the end only',
  ],
  [
    'a vote of unequal members',
    [flatten, { ...dense, units: 9, activation: 'linear' }, { kind: 'SoftVoting', name: 'vote', members: 2 }],
    'votes for 2 members, which does not divide its 9 inputs',
  ],
  ['a vote on maps', [conv(), { kind: 'SoftVoting', name: 'vote', members: 2 }], 'vote (SoftVoting) needs a vector'],
  ['a relu at the end', [flatten, { ...dense, activation: 'relu' }], 'must be softmax or linear'],
])('%s is no network, and the sentence says why', async (_, layers, sentence) => {
  const table = () => layerTable({ name: 'wrong', input, layers });
  expect(table).toThrow(ArchitectureError);
  expect(await refusal(table)).toContain(sentence);
});

describe('initial weights', () => {
  const { architecture } = cases[3];

  test('follow from the seed', () => {
    expect(initialWeights(architecture, 5)).toEqual(initialWeights(architecture, 5));
    expect(initialWeights(architecture, 5)['dense/kernel']).not.toEqual(
      initialWeights(architecture, 6)['dense/kernel'],
    );
    const large = 5 + 2 ** 32;
    expect(initialWeights(architecture, 5)['dense/kernel']).not.toEqual(
      initialWeights(architecture, large)['dense/kernel'],
    );
  });

  test('are constants except the kernels', () => {
    const weights = initialWeights(architecture, 1);
    for (const [name, value] of Object.entries({ gamma: 1, beta: 0, moving_mean: 0, moving_variance: 1 })) {
      expect([...weights[`batch_normalization/${name}`]]).toEqual([value, value, value, value]);
    }
    expect([...weights['dense/bias']]).toEqual([0, 0, 0, 0]);
  });

  test('are uniform between the limits of Glorot and Bengio, and kernels are uncorrelated', () => {
    const layers = [
      flatten,
      { ...dense, units: 100, activation: 'linear' as const },
      { ...dense, name: 'dense_1', units: 100 },
    ];
    const weights = initialWeights({ name: 'large', input, layers }, 3);
    const kernel = weights['dense/kernel'];
    const limit = Math.sqrt(6 / 148);
    expect(Math.max(...kernel)).toBeGreaterThan(0.99 * limit);
    expect(Math.max(...kernel.map(Math.abs))).toBeLessThanOrEqual(Math.fround(limit));
    const mean = kernel.reduce((sum, value) => sum + value, 0) / kernel.length;
    const variance = kernel.reduce((sum, value) => sum + value * value, 0) / kernel.length;
    expect(Math.abs(mean)).toBeLessThan((4 * limit) / Math.sqrt(3 * kernel.length));
    expect(variance / (limit ** 2 / 3)).toBeCloseTo(1, 1);
    const kernelOfDense = weights['dense_1/kernel'];
    const together = kernel.reduce((sum, value, i) => sum + value * kernelOfDense[i], 0) / kernel.length;
    expect(Math.abs(together) / variance).toBeLessThan(4 / Math.sqrt(kernel.length));
  });
});
