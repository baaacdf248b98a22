// Receptive fields, compared with the pixels whose change changes a number.
import { describe, expect, test } from 'vitest';
import { cellIn, receptiveFrame, layersBackToImage } from '../src/analysis/receptive';
import { layerTable } from '../src/engine/architecture';
import type { Architecture, LayerSpec } from '../src/engine/types';
import { meanMap } from '../src/bench/lens/mean_map';
import { plainForward } from './plain_network';

const conv = (name: string, kernel: number, stride: number, padding: 'valid' | 'same'): LayerSpec => ({
  kind: 'Conv2D',
  name,
  filters: 1,
  kernel_size: [kernel, kernel],
  strides: [stride, stride],
  padding,
  activation: 'linear',
  use_bias: false,
});
const LAYERS: Record<string, LayerSpec[]> = {
  'valid padding': [
    conv('a', 3, 1, 'valid'),
    { kind: 'AveragePooling2D', name: 'pool', pool_size: [2, 2], strides: [2, 2], padding: 'valid' },
    conv('b', 3, 1, 'valid'),
  ],
  'same padding with strides': [conv('a', 4, 2, 'same'), conv('b', 3, 2, 'same'), conv('c', 2, 1, 'same')],
  'zero padding': [
    {
      kind: 'ZeroPadding2D',
      name: 'p',
      padding: [
        [1, 2],
        [0, 3],
      ],
    },
    conv('a', 3, 2, 'valid'),
    { kind: 'Activation', name: 'act', activation: 'leaky_relu', negative_slope: 0.1 },
    {
      kind: 'ZeroPadding2D',
      name: 'q',
      padding: [
        [2, 2],
        [1, 1],
      ],
    },
    conv('b', 2, 1, 'valid'),
  ],
  'a residual around a convolution': [
    conv('a', 3, 1, 'same'),
    conv('b', 3, 1, 'same'),
    { kind: 'Add', name: 'add', from_layer: 'a', activation: 'linear' },
    conv('c', 3, 2, 'same'),
  ],
  'branches of two strides and the image again': [
    conv('a', 3, 1, 'same'),
    conv('b', 3, 2, 'same'),
    { kind: 'Branch', name: 'again', from_layer: 'a' },
    conv('shortcut', 1, 2, 'same'),
    { kind: 'Concatenate', name: 'both', from_layer: 'b' },
    { kind: 'Branch', name: 'image', from_layer: 'input' },
    conv('d', 2, 2, 'same'),
    { kind: 'Concatenate', name: 'all', from_layer: 'both' },
    conv('c', 2, 1, 'valid'),
  ],
};

// Makes a network of these layers, which ends with logits. With weights of 1 and one white pixel, a number that is not zero has
// seen that pixel.
function network(layers: LayerSpec[], height = 13, width = 10): Architecture {
  const end: LayerSpec[] = [
    { kind: 'GlobalAveragePooling2D', name: 'global' },
    { kind: 'Dense', name: 'out', units: 2, activation: 'softmax', use_bias: false },
  ];
  const whole = layers[layers.length - 1].kind === 'Dense' ? layers : [...layers, ...end];
  return { name: 'test', input: { height, width, channels: 1, scale: 1, offset: 0 }, layers: whole };
}

describe.each(Object.entries(LAYERS))('%s', (_, layers) => {
  test('the frame on the image holds just the pixels that change the number', () => {
    const architecture = network(layers);
    const table = layerTable(architecture);
    const weights = Object.fromEntries(
      table.flatMap((row) =>
        Object.entries(row.weightShapes).map(([name, shape]) => [
          name,
          new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1),
        ]),
      ),
    );
    const last = table[layers.length - 1];
    const [rows, columns] = last.outputShape;
    const seen = Array.from({ length: rows * columns }, () => new Set<number>());
    const { height: imageHeight, width: imageWidth } = architecture.input;
    for (let pixel = 0; pixel < imageHeight * imageWidth; pixel++) {
      const pixels = new Uint8Array(imageHeight * imageWidth);
      pixels[pixel] = 1;
      plainForward(architecture, weights, pixels).activations[last.index].forEach((value, i) => {
        if (value !== 0) seen[i].add(pixel);
      });
    }
    for (let i = 0; i < seen.length; i++) {
      const cell = { layer: last.layer.name, map: 0, row: Math.floor(i / columns), column: i % columns };
      const nothing = { top: 0, left: 0, height: 0, width: 0 };
      const { top, left, height, width } = receptiveFrame(table, cell).get('input') ?? nothing;
      const framed = new Set<number>();
      for (let r = top; r < top + height; r++) for (let c = left; c < left + width; c++) framed.add(imageWidth * r + c);
      expect([...framed].sort(), `cell ${i}`).toEqual([...seen[i]].sort());
    }
  });
});

test('every layer between has its frame', () => {
  const table = layerTable(network(LAYERS['valid padding']));
  const frames = receptiveFrame(table, { layer: 'b', map: 0, row: 1, column: 0 });
  expect(frames.get('b')).toEqual({ top: 1, left: 0, height: 1, width: 1, first: 0, count: 1 });
  expect(frames.get('pool')).toEqual({ top: 1, left: 0, height: 3, width: 3, first: 0, count: 1 });
  expect(frames.get('a')).toEqual({ top: 2, left: 0, height: 6, width: 6, first: 0, count: 1 });
  expect(frames.get('input')).toEqual({ top: 2, left: 0, height: 8, width: 8, first: 0, count: 1 });
});

test('a dilated window has a frame from its first pixel to its last, on the maps of its group', () => {
  const wide: LayerSpec = { ...conv('b', 3, 1, 'same'), filters: 6, dilation_rate: [2, 1], groups: 3 };
  const table = layerTable(network([{ ...conv('a', 1, 1, 'same'), filters: 6 }, wide]));
  const frames = receptiveFrame(table, { layer: 'b', map: 3, row: 5, column: 5 });
  expect(frames.get('a')).toEqual({ top: 3, left: 4, height: 5, width: 3, first: 2, count: 2 });
});

test('before a group, pooling and depthwise layers are read on its maps, and a concatenation where these lie in it', () => {
  const wide = (name: string, filters: number) => ({ ...conv(name, 1, 1, 'same'), filters });
  const layers: LayerSpec[] = [
    wide('a', 2),
    { kind: 'Branch', name: 'again', from_layer: 'input' },
    wide('b', 4),
    { kind: 'Concatenate', name: 'both', from_layer: 'a' },
    { ...conv('deep', 3, 1, 'same'), kind: 'DepthwiseConv2D', filters: undefined, depth_multiplier: 2 },
    { kind: 'MaxPooling2D', name: 'pool', pool_size: [2, 2], strides: [1, 1], padding: 'same' },
    { ...wide('last', 4), groups: 4 },
  ];
  const maps = (map: number) => {
    const frames = receptiveFrame(layerTable(network(layers)), { layer: 'last', map, row: 5, column: 5 });
    return ['pool', 'deep', 'both', 'b', 'a', 'input'].map((name) => {
      const frame = frames.get(name);
      return frame && [frame.first, frame.count];
    });
  };
  // [first map, count]: filter g of `last` reads 3 of 12 maps, from map 3 g on. `deep` makes maps 2 m and 2 m + 1 from map m of
  // `both`, which are the 2 maps of `a`, then the 4 of `b`.
  expect(maps(0)).toEqual([[0, 3], [0, 3], [0, 2], undefined, [0, 2], [0, 1]]);
  expect(maps(1)).toEqual([
    [3, 3],
    [3, 3],
    [1, 2],
    [0, 1],
    [1, 1],
    [0, 1],
  ]);
  expect(maps(3)).toEqual([[9, 3], [9, 3], [4, 2], [2, 2], undefined, [0, 1]]);
});

test('the mean of the maps that a group reads is shown, and no other map', () => {
  expect([...meanMap([1, 2, 4, 8, 10, 20, 40, 80], 4, { first: 1, count: 2 })]).toEqual([3, 30]);
  expect([...meanMap([1, 2, 4, 8], 2, { first: 1, count: 1 })]).toEqual([2, 8]);
});

test('layers after the cell have no frame, and an Add frames both layers that it reads', () => {
  const table = layerTable(network(LAYERS['a residual around a convolution']));
  const frames = receptiveFrame(table, { layer: 'add', map: 0, row: 4, column: 4 });
  expect(frames.has('c')).toBe(false);
  expect(frames.get('b')).toMatchObject({ top: 4, left: 4, height: 1, width: 1 });
  expect(frames.get('a')).toMatchObject({ top: 3, left: 3, height: 3, width: 3 });
});

test('a unit of a flattened map is one number of it, and a dense unit reads them all', () => {
  const layers = [
    { ...conv('a', 3, 1, 'valid'), filters: 2 },
    { kind: 'Flatten', name: 'flatten' },
    { kind: 'Dense', name: 'dense', units: 2, activation: 'softmax' as const, use_bias: false },
  ];
  const table = layerTable(network(layers));
  const unit = receptiveFrame(table, { layer: 'flatten', map: 2 * (8 * 3 + 5) + 1, row: 0, column: 0 });
  expect(unit.get('a')).toEqual({ top: 3, left: 5, height: 1, width: 1, first: 1, count: 1 });
  expect(unit.get('input')).toEqual({ top: 3, left: 5, height: 3, width: 3, first: 0, count: 1 });
  const whole = receptiveFrame(table, { layer: 'dense', map: 1, row: 0, column: 0 });
  expect(whole.get('a')).toEqual({ top: 0, left: 0, height: 11, width: 8, first: 0, count: 2 });
  expect(whole.get('input')).toEqual({ top: 0, left: 0, height: 13, width: 10, first: 0, count: 1 });
});

test('a zero of the padding depends on no pixel, whether it stands before the map or after it', () => {
  const table = layerTable(
    network([
      conv('a', 3, 1, 'valid'),
      {
        kind: 'ZeroPadding2D',
        name: 'p',
        padding: [
          [2, 2],
          [2, 2],
        ],
      },
    ]),
  );
  for (const [row, column] of [
    [0, 5],
    [14, 5],
    [5, 0],
    [5, 11],
  ]) {
    expect([...receptiveFrame(table, { layer: 'p', map: 0, row, column }).keys()]).toEqual(['p']);
  }
  const inside = receptiveFrame(table, { layer: 'p', map: 0, row: 2, column: 2 });
  expect(inside.get('a')).toMatchObject({ top: 0, left: 0, height: 1, width: 1 });
  expect(inside.get('input')).toMatchObject({ top: 0, left: 0, height: 3, width: 3 });
});

test('the frame of a pixel is the pixel', () => {
  const table = layerTable(network(LAYERS['valid padding']));
  const frames = receptiveFrame(table, { layer: 'input', map: 0, row: 2, column: 3 });
  expect([...frames]).toEqual([['input', { top: 2, left: 3, height: 1, width: 1, first: 0, count: 1 }]]);
});

test('a cell that the layers lack becomes null', () => {
  const table = layerTable(network(LAYERS['valid padding']));
  const cell = { layer: 'b', map: 0, row: 2, column: 1 };
  expect(cellIn(table, cell)).toBe(cell);
  expect(cellIn(table, { ...cell, layer: 'input', row: 12, column: 9 })).not.toBeNull();
  for (const wrong of [{ layer: 'elsewhere' }, { map: 1 }, { row: 3 }, { column: -1 }, { row: 0.5 }, { row: NaN }]) {
    expect(cellIn(table, { ...cell, ...wrong })).toBeNull();
  }
});

test('the layers of a cell are listed from its own back to the image, each once', () => {
  const input = { height: 9, width: 9, channels: 1, scale: 1, offset: 0 };
  const layersOfCell = (layers: string, layer: string) => {
    const end: LayerSpec[] = [
      { kind: 'Flatten', name: 'flat' },
      { kind: 'Dense', name: 'dense', units: 2, activation: 'linear', use_bias: true },
    ];
    const table = layerTable({ name: 'n', input, layers: [...LAYERS[layers], ...end] });
    return layersBackToImage(table, receptiveFrame(table, { layer, map: 0, row: 1, column: 1 }));
  };
  expect(layersOfCell('valid padding', 'b')).toEqual(['b', 'pool', 'a', 'input']);
  expect(layersOfCell('a residual around a convolution', 'add')).toEqual(['add', 'b', 'a', 'input']);
});
