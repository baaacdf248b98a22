// The explained arithmetic of every cell, compared with the same network in plain loops and with the engine.
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { explainCell, type CellArithmetic, type ForwardPass } from '../src/analysis/cell';
import { sizesOf } from '../src/analysis/receptive';
import { layerTable } from '../src/engine/architecture';
import { loadEngine, type Engine } from '../src/engine/engine';
import type { Activation } from '../src/engine/activations';
import type { Architecture, LayerSpec, Weights } from '../src/engine/types';
import { plainForward } from './plain_network';

// Makes a generator of numbers in [0, 1), the same in every run. Source: Press and others 1992, section 7.1.
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function network(layers: LayerSpec[], height: number, width: number, channels: number, offset = 0): Architecture {
  return { name: 'test', input: { height, width, channels, scale: 1 / 255, offset }, layers };
}

// Draws the weights of a network and an image.
function drawNetwork(architecture: Architecture, seed: number): { weights: Weights; pixels: Uint8Array } {
  const next = generator(seed);
  const weights: Weights = {};
  for (const row of layerTable(architecture)) {
    for (const [name, shape] of Object.entries(row.weightShapes)) {
      const size = shape.reduce((product, n) => product * n, 1);
      const spread = name.endsWith('moving_variance') ? () => 0.2 + next() : () => next() - 0.5;
      weights[name] = Float32Array.from({ length: size }, spread);
    }
  }
  const { height, width, channels } = architecture.input;
  return { weights, pixels: Uint8Array.from({ length: height * width * channels }, () => Math.floor(256 * next())) };
}

const conv = (name: string, filters: number, rest: Partial<LayerSpec> = {}): LayerSpec => ({
  kind: 'Conv2D',
  name,
  filters,
  kernel_size: [3, 3],
  strides: [1, 1],
  padding: 'valid',
  activation: 'relu',
  use_bias: true,
  ...rest,
});
const pool = (kind: string, name: string, rest: Partial<LayerSpec> = {}): LayerSpec => ({
  kind,
  name,
  pool_size: [2, 2],
  strides: [2, 2],
  padding: 'valid',
  ...rest,
});
const dense = (name: string, units: number, activation: Activation, use_bias = true): LayerSpec => ({
  kind: 'Dense',
  name,
  units,
  activation,
  use_bias,
});
const flatten: LayerSpec = { kind: 'Flatten', name: 'flatten' };

const NETWORKS: [string, Architecture][] = [
  [
    'valid convolutions and poolings',
    network(
      [
        conv('conv2d', 4),
        pool('MaxPooling2D', 'max'),
        conv('conv2d_1', 5),
        flatten,
        dense('dense', 6, 'relu'),
        dense('out', 3, 'softmax'),
      ],
      11,
      10,
      1,
    ),
  ],
  [
    'same padding, strides, a residual and every other layer',
    network(
      [
        conv('stem', 4, {
          padding: 'same',
          strides: [2, 1],
          kernel_size: [5, 2],
          use_bias: false,
          activation: 'linear',
        }),
        { kind: 'BatchNormalization', name: 'norm', epsilon: 1e-3, activation: 'gelu' },
        {
          kind: 'DepthwiseConv2D',
          name: 'depthwise',
          kernel_size: [3, 3],
          strides: [1, 1],
          padding: 'same',
          depth_multiplier: 1,
          activation: 'leaky_relu',
          use_bias: true,
        },
        { kind: 'PReLU', name: 'learned' },
        { kind: 'Add', name: 'add', from_layer: 'norm', activation: 'tanh' },
        { kind: 'Branch', name: 'again', from_layer: 'norm' },
        { kind: 'Concatenate', name: 'both', from_layer: 'add' },
        pool('AveragePooling2D', 'mean', { pool_size: [3, 3], padding: 'same' }),
        {
          kind: 'DepthwiseConv2D',
          name: 'wider',
          kernel_size: [2, 2],
          strides: [1, 2],
          padding: 'valid',
          depth_multiplier: 2,
          activation: 'sigmoid',
          use_bias: false,
        },
        pool('MaxPooling2D', 'max', { pool_size: [2, 2], strides: [1, 1], padding: 'same' }),
        { kind: 'Dropout', name: 'dropout', rate: 0.5 },
        {
          kind: 'ZeroPadding2D',
          name: 'frame',
          padding: [
            [1, 0],
            [0, 2],
          ],
        },
        { kind: 'Activation', name: 'leak', activation: 'leaky_relu', negative_slope: 0.4 },
        { kind: 'GlobalAveragePooling2D', name: 'global' },
        { kind: 'BatchNormalization', name: 'norm_1', epsilon: 0.01, activation: 'linear' },
        dense('out', 4, 'linear', false),
      ],
      14,
      9,
      3,
      -0.5,
    ),
  ],
  [
    'global maxima',
    network(
      [
        conv('conv2d', 3, { activation: 'tanh' }),
        { kind: 'GlobalMaxPooling2D', name: 'global' },
        dense('out', 2, 'softmax'),
      ],
      6,
      7,
      2,
    ),
  ],
  [
    'no convolution at all',
    network(
      [flatten, dense('dense', 5, 'gelu'), { kind: 'Dropout', name: 'dropout', rate: 0.2 }, dense('out', 7, 'softmax')],
      5,
      4,
      1,
    ),
  ],
  [
    'other activations',
    network(
      [
        conv('conv2d', 3, { activation: 'relu6' }),
        { kind: 'Activation', name: 'hard', activation: 'hard_silu' },
        flatten,
        dense('dense', 7, 'silu'),
        { kind: 'PReLU', name: 'learned' },
        dense('dense_1', 5, 'elu'),
        dense('out', 2, 'softmax'),
      ],
      5,
      6,
      1,
    ),
  ],
  [
    'dilation and groups',
    network(
      [
        conv('wide', 4, { padding: 'same', dilation_rate: [3, 2] }),
        conv('halves', 6, { kernel_size: [2, 3], groups: 2 }),
        {
          kind: 'DepthwiseConv2D',
          name: 'depthwise',
          kernel_size: [2, 2],
          strides: [1, 1],
          padding: 'valid',
          dilation_rate: [1, 3],
          depth_multiplier: 1,
          activation: 'tanh',
          use_bias: true,
        },
        conv('apart', 6, { kernel_size: [1, 1], groups: 6 }),
        { kind: 'GlobalAveragePooling2D', name: 'global' },
        dense('out', 3, 'softmax'),
      ],
      8,
      9,
      2,
    ),
  ],
  [
    'an ensemble',
    network(
      [
        conv('conv2d', 3, { activation: 'tanh' }),
        { kind: 'GlobalMaxPooling2D', name: 'global' },
        dense('out', 12, 'linear'),
        { kind: 'SoftVoting', name: 'vote', members: 3 },
      ],
      6,
      7,
      1,
    ),
  ],
  [
    'weighted maps',
    network(
      [
        conv('conv2d', 3),
        { kind: 'GlobalAveragePooling2D', name: 'means' },
        dense('gate', 3, 'hard_sigmoid'),
        { kind: 'Multiply', name: 'weighted', from_layer: 'conv2d' },
        { kind: 'LayerNormalization', name: 'by_pixel', epsilon: 0.01 },
        conv('conv2d_1', 4, { activation: 'selu' }),
        { kind: 'GroupNormalization', name: 'by_group', groups: 2, epsilon: 0.1 },
        { kind: 'Branch', name: 'again', from_layer: 'weighted' },
        conv('conv2d_2', 4),
        { kind: 'Multiply', name: 'both', from_layer: 'by_group' },
        { kind: 'GlobalMaxPooling2D', name: 'largest' },
        dense('units', 3, 'linear'),
        { kind: 'LayerNormalization', name: 'by_vector', epsilon: 0.1 },
        { kind: 'Branch', name: 'back', from_layer: 'weighted' },
        conv('conv2d_3', 3, { padding: 'same' }),
        { kind: 'Multiply', name: 'product', from_layer: 'weighted' },
        { kind: 'GlobalMaxPooling2D', name: 'global' },
        { kind: 'Concatenate', name: 'joined', from_layer: 'by_vector' },
        dense('out', 2, 'softmax'),
      ],
      6,
      7,
      2,
    ),
  ],
];

function passThrough(
  architecture: Architecture,
  seed: number,
  replaced?: Parameters<typeof plainForward>[3],
): ForwardPass {
  const { weights, pixels } = drawNetwork(architecture, seed);
  const { activations, logits } = plainForward(architecture, weights, pixels, replaced);
  return { input: architecture.input, table: layerTable(architecture), weights, pixels, activations, logits };
}

function* cells({ table }: ForwardPass): Generator<{ layer: string; map: number; row: number; column: number }> {
  for (const { layer, outputShape } of table) {
    const [rows, columns, maps] = sizesOf(outputShape);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        for (let map = 0; map < maps; map++) yield { layer: layer.name, map, row, column };
      }
    }
  }
}

// Measures how far the end of a cell's arithmetic is from the value in the layer's output.
function relativeError(cell: CellArithmetic): number {
  return Math.abs(cell.value - cell.shown) / Math.max(1, Math.abs(cell.shown));
}

describe.each(NETWORKS)('%s', (_, architecture) => {
  test('the arithmetic of every cell ends with the value of the output', () => {
    const pass = passThrough(architecture, 7);
    let count = 0;
    for (const cell of cells(pass)) {
      expect(
        relativeError(explainCell(pass, cell)),
        `${cell.layer} ${cell.map} ${cell.row} ${cell.column}`,
      ).toBeLessThan(1e-9);
      count++;
    }
    expect(count).toBe(pass.activations.reduce((sum, values) => sum + values.length, 0));
  });

  test('the arithmetic of a cell does not end with a value that was changed', () => {
    const pass = passThrough(architecture, 7);
    for (const row of pass.table) {
      const changed = pass.activations.map((values) => Float64Array.from(values));
      changed[row.index][0] += 1;
      const cell = explainCell({ ...pass, activations: changed }, { layer: row.layer.name, map: 0, row: 0, column: 0 });
      expect(relativeError(cell)).toBeGreaterThan(0.1);
    }
  });
});

describe('the arithmetic of every cell', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await loadEngine(readFileSync(new URL('../../src/convscope/report/bundle/engine.wasm', import.meta.url)));
  });

  test.each(NETWORKS)('ends with the value that the engine computes: %s', (_, architecture) => {
    const { weights, pixels } = drawNetwork(architecture, 11);
    const network = engine.network(architecture, weights);
    const pass = { input: architecture.input, table: network.table, weights, pixels, ...network.forward(pixels) };
    for (const cell of cells(pass)) {
      expect(
        relativeError(explainCell(pass, cell)),
        `${cell.layer} ${cell.map} ${cell.row} ${cell.column}`,
      ).toBeLessThan(1e-4);
    }
    network.free();
  });

  test('ends with it also where a filter is replaced, in its layer and in later ones', () => {
    const [, architecture] = NETWORKS[1];
    const { weights, pixels } = drawNetwork(architecture, 11);
    const replaced = { layer: 'depthwise', filter: 2, value: 0.75 };
    const network = engine.network(architecture, weights);
    const pass = {
      input: architecture.input,
      table: network.table,
      weights,
      pixels,
      ...network.forward(pixels, [replaced]),
    };
    for (const cell of cells(pass)) {
      const here = cell.layer === 'depthwise' && cell.map === 2 ? replaced : undefined;
      expect(relativeError(explainCell(pass, cell, here)), `${cell.layer} ${cell.map}`).toBeLessThan(1e-4);
    }
    network.free();
  });
});

describe('the parts of the arithmetic', () => {
  const pass = passThrough(NETWORKS[1][1], 3);
  const at = (layer: string, map = 1, row = 0, column = 0) => explainCell(pass, { layer, map, row, column });

  test('products of every channel add up to the sum', () => {
    const { work, sum, bias } = at('stem', 2);
    if (work.step !== 'products') throw new Error(work.step);
    expect(work.channels.map((channel) => channel.map)).toEqual([0, 1, 2]);
    expect(bias).toBeNull();
    const products = work.channels.flatMap((channel) => channel.products);
    expect(products.reduce((a, b) => a + b, 0)).toBeCloseTo(sum, 10);
  });

  test('a value in the padding is NaN and adds nothing', () => {
    const { work } = at('stem');
    if (work.step !== 'products') throw new Error(work.step);
    const [channel] = work.channels;
    expect(channel.top).toBe(-1);
    expect(channel.values.slice(0, 2).every(Number.isNaN)).toBe(true);
    expect(channel.products.slice(0, 2)).toEqual([0, 0]);
  });

  test('a dilated window reads cells with gaps, and a filter the maps of its group', () => {
    const spread = passThrough(NETWORKS.find(([name]) => name === 'dilation and groups')![1], 3);
    const wide = explainCell(spread, { layer: 'wide', map: 0, row: 4, column: 4 }).work;
    if (wide.step !== 'products') throw new Error(wide.step);
    expect(wide.channels[1]).toMatchObject({ map: 1, top: 1, left: 2, rows: 3, columns: 3, dilation: [3, 2] });
    // Number 5 is at row 1, column 2 of the window: at row 1 + 1 * 3, column 2 + 2 * 2 of the 8 x 9 x 2 image.
    expect(wide.channels[1].values[5]).toBe(spread.pixels[(4 * 9 + 6) * 2 + 1] * spread.input.scale);
    const halves = explainCell(spread, { layer: 'halves', map: 4, row: 0, column: 0 }).work;
    if (halves.step !== 'products') throw new Error(halves.step);
    expect(halves.channels.map((channel) => channel.map)).toEqual([2, 3]);
  });

  test('a depthwise convolution reads the channel that its output belongs to', () => {
    const { work } = at('wider', 5);
    if (work.step !== 'products') throw new Error(work.step);
    expect(work.channels.map((channel) => channel.map)).toEqual([2]);
  });

  test('the winner of a pooling is its value', () => {
    const { work, value } = at('max', 3, 1, 0);
    if (work.step !== 'largest') throw new Error(work.step);
    expect(work.window.values[work.winner]).toBe(value);
    expect(Math.max(...work.window.values.filter((x) => !Number.isNaN(x)))).toBe(value);
  });

  test('a mean counts only values inside the map', () => {
    const { work } = at('mean', 0, 2, 4);
    if (work.step !== 'mean') throw new Error(work.step);
    expect(work.count).toBe(work.window.values.filter((x) => !Number.isNaN(x)).length);
    expect(work.count).toBeLessThan(9);
  });

  test('inputs of a dense layer come with the largest product first', () => {
    const { work } = at('out');
    if (work.step !== 'weighted') throw new Error(work.step);
    const sizes = work.terms.map((term) => Math.abs(term.product));
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
    expect(new Set(work.terms.map((term) => term.input)).size).toBe(16);
  });

  test('a copy names its source', () => {
    const flat = passThrough(NETWORKS[0][1], 3);
    // The layer before has 2 x 2 pixels of 5 maps: 13 = (1 * 2 + 0) * 5 + 3.
    const { work } = explainCell(flat, { layer: 'flatten', map: 13, row: 0, column: 0 });
    expect(work).toMatchObject({ step: 'copied', from: { layer: 'conv2d_1', map: 3, row: 1, column: 0 } });
  });

  test('a pixel is its byte, scaled and shifted', () => {
    const cell = at('input', 2, 3, 4);
    expect(cell.value).toBeCloseTo(pass.pixels[(3 * 9 + 4) * 3 + 2] / 255 - 0.5, 12);
    expect(cell.shown).toBeCloseTo(cell.value, 6);
  });

  test('a softmax takes its share of all exponentials', () => {
    const pass = passThrough(NETWORKS[3][1], 3);
    const cell = explainCell(pass, { layer: 'out', map: 2, row: 0, column: 0 });
    expect(cell.sum).toBeCloseTo(pass.logits[2], 10);
    expect(Math.exp(cell.sum - cell.normalizer!.largest) / cell.normalizer!.total).toBeCloseTo(cell.shown, 10);
  });

  test('a replaced cell has its replacement and its computed value', () => {
    const replaced = { layer: 'norm', filter: 1, value: 0.25 };
    const pass = passThrough(NETWORKS[1][1], 3, replaced);
    const cell = explainCell(pass, { layer: 'norm', map: 1, row: 2, column: 2 }, replaced);
    expect(cell).toMatchObject({ replaced: 0.25, value: 0.25, shown: 0.25 });
    expect(cell.computed).not.toBeCloseTo(0.25, 3);
    expect(relativeError(explainCell(pass, { layer: 'add', map: 1, row: 2, column: 2 }))).toBeLessThan(1e-9);
  });
});
