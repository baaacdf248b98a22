// The flow: its layout, the ranges of its colours, the maps that ribbons join, and the steps of its keys.
import { describe, expect, test } from 'vitest';
import { linksBack, linksForward } from '../src/analysis/links';
import { rangeTo, scaleOf, signedLayers } from '../src/analysis/ranges';
import { decimalsFor, roundTerms } from '../src/analysis/rounding';
import { arrange, connections, lanesAt, skips, type Spot } from '../src/bench/flow/arrange';
import { canvasSize, cornerOf, cellAt, paintMaps, squareGrid, type Grid } from '../src/bench/flow/grid';
import { layOut, type Item } from '../src/bench/flow/layout';
import { stepAcross, stepOfBracket, stepWithin } from '../src/bench/flow/steps';
import { layerTable } from '../src/engine/architecture';
import type { Architecture } from '../src/engine/types';

const architecture: Architecture = {
  name: 'test',
  input: { height: 6, width: 6, channels: 1, scale: 1, offset: 0 },
  layers: [
    {
      kind: 'Conv2D',
      name: 'conv',
      filters: 2,
      kernel_size: [3, 3],
      strides: [1, 1],
      padding: 'same',
      activation: 'relu',
      use_bias: true,
    },
    { kind: 'MaxPooling2D', name: 'pool', pool_size: [3, 3], strides: [3, 3], padding: 'valid' },
    { kind: 'Flatten', name: 'flatten' },
    { kind: 'Dense', name: 'out', units: 3, activation: 'linear', use_bias: true },
  ],
};
const table = layerTable(architecture);

describe('layout', () => {
  const heading = { title: 'Title', facts: '3 facts', short: 'T 1' };
  // Items of these shapes, the image's first; those with a mark follow the maps before them.
  const itemsOf = (shapes: number[][], spots: Spot[], following: number[] = []): Item[] =>
    shapes.map((shape, i) => ({ heading, shape, folded: false, follows: following.includes(i), spot: spots[i] }));
  const chain = (shapes: number[][], following: number[] = []) =>
    itemsOf(
      shapes,
      shapes.map((_, depth) => ({ depth, lane: 0, until: depth })),
      following,
    );
  const cnn = chain([[28, 28, 1], [26, 26, 16], [13, 13, 16], [11, 11, 32], [5, 5, 32], [128], [10]], [2, 4]);
  const deep = chain([[28, 28, 1], ...Array<number[]>(60).fill([14, 14, 32]), [10]]);
  const branches = itemsOf(
    [[28, 28, 1], ...Array<number[]>(6).fill([14, 14, 8]), [10]],
    [
      { depth: 0, lane: 0, until: 0 },
      { depth: 1, lane: 0, until: 1 },
      { depth: 2, lane: 0, until: 3 },
      { depth: 2, lane: 1, until: 2 },
      { depth: 3, lane: 1, until: 3 },
      { depth: 4, lane: 0, until: 4 },
      { depth: 5, lane: 0, until: 5 },
      { depth: 6, lane: 0, until: 6 },
    ],
  );
  const blocks = [10, 20, 30].map((from) => ({ from, to: from + 5 })); // of the deep network
  const rooms = [860, 600, 400, 328].flatMap((width) =>
    [480, 260, 180].map((height) => ({ width, height, scale: 1, textScale: 1 })),
  );

  test.each([
    ['a chain', cnn],
    ['60 layers', deep],
    ['branches', branches],
  ])('of %s stays in the room at every width and height, and nothing overlaps', (_, items) => {
    for (const room of rooms) {
      for (const opened of [0, 1, items.length - 1]) {
        const tiles = layOut(items, opened, items === deep ? blocks : [], room);
        expect(tiles).toHaveLength(items.length);
        for (const [i, { left, top, width, height, head, grid }] of tiles.entries()) {
          const { width: across, height: down } = canvasSize(grid);
          const where = JSON.stringify([room, opened, i]);
          expect(left, where).toBeGreaterThanOrEqual(-0.01);
          expect(left + width, where).toBeLessThanOrEqual(room.width + 0.01);
          expect(top + height, where).toBeLessThanOrEqual(room.height + 0.01);
          expect(across / grid.scale, where).toBeLessThanOrEqual(width + 1);
          if (room.height > 180) expect(head + down / grid.scale, where).toBeLessThanOrEqual(height + 2);
          const next = tiles[i + 1];
          if (next !== undefined && next.top === top) expect(next.left, where).toBeGreaterThanOrEqual(left + width);
        }
      }
    }
  });

  test.each([1, 1.25, 2])(
    'shows all maps in whole pixels of a screen with a scale of %s where there is room',
    (scale) => {
      const tiles = layOut(cnn, 1, [], { width: 1100, height: 432, scale, textScale: 1 });
      for (const { look, grid } of tiles) {
        expect([look, grid.shown, grid.scale]).toEqual(['facts', grid.maps, scale]);
        expect(Number.isInteger(grid.cell) && Number.isInteger(grid.gap)).toBe(true);
      }
      // A pooled map stands where the map stands that it is computed from.
      const columns = tiles.map(({ grid }) => grid.gridColumns);
      expect([columns[2], columns[4]]).toEqual([columns[1], columns[3]]);
    },
  );

  test('opens one layer with all its maps where there is little room', () => {
    for (const opened of [1, 3]) {
      const tiles = layOut(cnn, opened, [], { width: 420, height: 260, scale: 1, textScale: 1 });
      expect(tiles[opened].grid.shown).toBe(tiles[opened].grid.maps);
      const widths = tiles.map(({ width }) => width);
      expect(widths[opened]).toBe(Math.max(...widths));
    }
  });

  test('folds repeated blocks where there is little room, but not the one with the opened layer', () => {
    const folded = layOut(deep, 13, blocks, { width: 328, height: 180, scale: 1, textScale: 1 }).flatMap(
      ({ look }, i) => (look === 'line' ? [i - 1] : []),
    );
    expect(folded).toEqual([21, 22, 23, 24, 31, 32, 33, 34]);
    const wide = layOut(deep, 13, blocks, { width: 1800, height: 400, scale: 1, textScale: 1 });
    expect(wide.map(({ look }) => look)).not.toContain('line');
  });

  test('places layers by depth, and branches in lanes of their own', () => {
    const layers = [
      { kind: 'Conv2D', name: 'a', filters: 2, kernel_size: [3, 3], strides: [1, 1], padding: 'same' },
      { kind: 'Conv2D', name: 'b', filters: 2, kernel_size: [3, 3], strides: [1, 1], padding: 'same' },
      { kind: 'Branch', name: 'from_a', from_layer: 'a' },
      { kind: 'Conv2D', name: 'c', filters: 2, kernel_size: [1, 1], strides: [1, 1], padding: 'same' },
      { kind: 'Add', name: 'sum', from_layer: 'b' },
      { kind: 'Activation', name: 'act', activation: 'relu' },
      { kind: 'Add', name: 'skip', from_layer: 'sum' },
    ] as Architecture['layers'];
    const end: Architecture['layers'] = [{ kind: 'Flatten', name: 'flat' }, { ...architecture.layers.at(-1)! }];
    const rows = layerTable({ ...architecture, layers: [...layers, ...end] });
    const spots = arrange(rows);
    const at = (name: string) => spots[1 + rows.findIndex(({ layer }) => layer.name === name)];
    expect(['a', 'b', 'c', 'sum', 'skip'].map((name) => [at(name).depth, at(name).lane])).toEqual([
      [1, 0],
      [2, 0],
      [2, 1],
      [3, 0],
      [5, 0],
    ]);
    expect([lanesAt(spots, 1), lanesAt(spots, 2), lanesAt(spots, 3)]).toEqual([1, 2, 1]);
    const skipping = connections(rows).filter((connection) => skips(spots, connection));
    expect(skipping.map(({ from, to }) => [rows[from].layer.name, rows[to].layer.name])).toEqual([['sum', 'skip']]);
  });
});

describe('grids', () => {
  test('a point of the canvas is mapped to the cell that is painted there', () => {
    const grid = squareGrid([13, 13, 16], 60, 300, 1)!;
    for (const [map, row, column] of [
      [0, 0, 0],
      [5, 12, 3],
      [15, 7, 12],
    ]) {
      const corner = cornerOf(grid, map);
      const point = { x: corner.x + (column + 0.5) * grid.cell, y: corner.y + (row + 0.5) * grid.cell };
      expect(cellAt(grid, point)).toEqual({ map, row, column });
    }
    expect(cellAt(grid, { x: 13 * grid.cell + 0.5, y: 0 })).toBeNull();
    expect(cellAt(grid, { x: -1, y: 0 })).toBeNull();
  });

  test('painting puts each number into its square and leaves gaps clear', () => {
    const grid: Grid = { rows: 1, columns: 2, maps: 2, shown: 2, gridColumns: 2, cell: 2, gap: 1, scale: 1 };
    const { width, height } = canvasSize(grid);
    expect([width, height]).toEqual([9, 2]);
    const colours = Uint32Array.from({ length: 256 }, (_, i) => i + 1);
    const painted = new Uint32Array(width * height);
    // (pixels, maps): the first map is 0, 1, the second 2, 4. The colours of 0, of a quarter, half and all of the range are 1,
    // 65, 129 and 256; each is two pixels wide, and a clear one is between the maps.
    paintMaps([0, 2, 1, 4], grid, { low: 0, high: 4 }, colours, painted);
    const line = [1, 1, 65, 65, 0, 129, 129, 256, 256];
    expect([...painted]).toEqual([...line, ...line]);
  });
});

describe('ranges', () => {
  test('layers after a relu are never negative, logits may be', () => {
    expect(signedLayers(architecture.input, table)).toEqual([false, false, false, true]);
  });
  test('go from zero to the end of the scale, or as far below zero as above', () => {
    expect(rangeTo(2, false)).toEqual({ low: 0, high: 2 });
    expect(rangeTo(2, true)).toEqual({ low: -2, high: 2 });
  });
  test('a scale ends where nine of ten images do, at a number of two digits', () => {
    expect(scaleOf(Array.from({ length: 11 }, (_, i) => 11.01 - i))).toBe(11); // 10.01, rounded up
    expect(scaleOf([0.1234, 0.1234])).toBe(0.13);
    expect(scaleOf([0.7])).toBe(0.7);
    expect(scaleOf([0, 0])).toBe(1); // of a layer that is dead
  });
  test('an empty pad has the darkest colour, and the scale is not that of the image', () => {
    const colours = Uint32Array.from({ length: 256 }, (_, i) => i + 1);
    const grid: Grid = { rows: 1, columns: 2, maps: 1, shown: 1, gridColumns: 1, cell: 2, gap: 1, scale: 1 };
    const range = rangeTo(2, false);
    const paint = (values: number[]) => {
      const painted = new Uint32Array(canvasSize(grid).width * canvasSize(grid).height);
      paintMaps(values, grid, range, colours, painted);
      return [...new Set(painted)];
    };
    expect(paint([0, 0])).toEqual([1]);
    expect(paint([0.003, 0])).toEqual([1]); // what a small bias leaves; by its own range it would be bright
    expect(paint([1, 2])).toEqual([129, 256]);
    expect(paint([0.5, 1])).toEqual([65, 129]); // half as strong an image is half as bright
    expect(paint([2, 7])).toEqual([256]); // beyond its end the scale saturates
  });
});

describe('links', () => {
  const weights = {
    'conv/kernel': Float32Array.from({ length: 18 }, (_, i) => (i % 2 === 0 ? 1 : -1)), // filter 0 adds, filter 1 subtracts
    'conv/bias': new Float32Array(2),
    'out/kernel': Float32Array.from({ length: 24 }, (_, i) => (Math.floor(i / 3) % 2 === 0 ? 0.5 : -2)), // by map
    'out/bias': new Float32Array(3),
  };
  test('a filter reads the image by its kernel', () => {
    expect(linksBack(table, weights, 0, 1, 8)).toEqual([{ layer: -1, map: 0, weight: -9, strength: 9 }]);
  });
  test('a dense unit reads whole maps through the flattening, the strongest first', () => {
    expect(linksBack(table, weights, 3, 0, 8)).toEqual([
      { layer: 1, map: 1, weight: -8, strength: 8 },
      { layer: 1, map: 0, weight: 2, strength: 2 },
    ]);
    expect(linksBack(table, weights, 3, 0, 1)).toHaveLength(1);
  });
  test('a pooled map feeds every unit, and a map its own pooling', () => {
    expect(linksForward(table, weights, 1, 0, 8).map(({ layer, map }) => [layer, map])).toEqual([
      [3, 0],
      [3, 1],
      [3, 2],
    ]);
    expect(linksForward(table, weights, 0, 1, 8)).toEqual([{ layer: 1, map: 1, weight: 1, strength: 1 }]);
    expect(linksForward(table, weights, 3, 0, 8)).toEqual([]);
  });
});

describe('keys', () => {
  const grid: Grid = { rows: 4, columns: 5, maps: 6, shown: 6, gridColumns: 3, cell: 1, gap: 1, scale: 1 };
  const cell = { layer: 'conv', map: 4, row: 0, column: 3 };
  test('an arrow moves within the map and stops at its border', () => {
    expect(stepWithin(cell, grid, 'ArrowRight', false)).toEqual({ ...cell, column: 4 });
    expect(stepWithin(cell, grid, 'ArrowUp', false)).toEqual(cell);
  });
  test('with shift it moves to the neighbouring map', () => {
    expect(stepWithin(cell, grid, 'ArrowUp', true)).toEqual({ ...cell, map: 1 });
    expect(stepWithin(cell, grid, 'ArrowDown', true)).toEqual(cell);
  });
  test('another layer is entered at the corresponding cell', () => {
    const small = { ...grid, rows: 2, columns: 2, shown: 3 };
    expect(stepAcross(cell, grid, 'pool', small)).toEqual({ layer: 'pool', map: 2, row: 0, column: 1 });
  });
  test('a bracket is recognised from its own key, AltGr or Option', () => {
    const pressed = (key: string, ...held: string[]) =>
      stepOfBracket({
        key,
        altKey: held.includes('alt'),
        ctrlKey: held.includes('ctrl'),
        metaKey: held.includes('meta'),
      });
    for (const held of [[], ['alt'], ['ctrl', 'alt']]) {
      expect([pressed('[', ...held), pressed(']', ...held), pressed('8', ...held)]).toEqual([-1, 1, 0]);
    }
    expect([pressed('[', 'meta'), pressed(']', 'ctrl')]).toEqual([0, 0]); // back and forward, in some browsers
  });
});

describe('printed numbers', () => {
  test('terms add up to the rounded sum', () => {
    const terms = [0.1049, 0.1049, 0.1049, -0.3333, NaN];
    const rounded = roundTerms(terms, 2);
    expect(rounded.slice(0, 4).reduce((a, b) => a + b, 0)).toBeCloseTo(-0.02, 10);
    rounded.forEach((value, i) => i < 4 && expect(Math.abs(value - terms[i])).toBeLessThan(0.01));
    expect(rounded[4]).toBeNaN();
  });
  test('have four digits', () => {
    expect([decimalsFor(12.3), decimalsFor(1.2), decimalsFor(0.012), decimalsFor(0)]).toEqual([2, 3, 5, 3]);
  });
});
