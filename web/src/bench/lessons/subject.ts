// The layers that lessons are about, the cells at which the reader looks, and their values.
import { receptiveFrame, sizesOf, type Cell } from '../../analysis/receptive';
import { runNow } from '../../analysis/slices';
import { logitsRow } from '../../engine/architecture';
import type { LayerRow } from '../../engine/types';
import type { Stroke } from '../../handwriting/strokes';
import type { Bench } from '../../state/bench.svelte';
import { predictions, surestMistake, type Mistake } from '../../state/predictions';
import { number, say } from '../../text/say.svelte';
import { layerTitle } from '../parts/headings';

const isConvolution = ({ layer }: LayerRow) => layer.kind.endsWith('Conv2D');
const isPooling = ({ layer }: LayerRow) => layer.kind.endsWith('Pooling2D');
const isGlobal = ({ layer }: LayerRow) => layer.kind.startsWith('Global');

export function firstWeighted(table: LayerRow[]): LayerRow {
  return table.find(({ parameters }) => parameters > 0) ?? table[0];
}
export function firstConvolution(table: LayerRow[]): LayerRow | null {
  return table.find(isConvolution) ?? null;
}
// Finds a pooling with several outputs per map, or else a global one.
export function firstPooling(table: LayerRow[]): LayerRow | null {
  return table.find((row) => isPooling(row) && !isGlobal(row)) ?? table.find(isPooling) ?? null;
}
// Finds the first layer with windows, and the last layer with windows if its receptive field is larger.
export function shallowAndDeep(table: LayerRow[]): [LayerRow, LayerRow] | null {
  const withWindows = table.filter((row) => (isConvolution(row) || isPooling(row)) && !isGlobal(row));
  const [first, last] = [withWindows[0], withWindows.at(-1)];
  if (first === undefined || last === undefined) return null;
  const [small, large] = [first, last].map(({ receptiveField: { size } }) => size[0] * size[1]);
  return large > small ? [first, last] : null;
}

// Finds the title and name of the layer that a layer reads; the first layer reads the image.
export function sourceOf(table: LayerRow[], row: LayerRow): { title: string; layer: string } {
  const before = table[row.index - 1];
  return before === undefined
    ? { title: say('parts.input'), layer: 'input' }
    : { title: layerTitle(table, before.layer.name), layer: before.layer.name };
}

// Returns the shown cell, if it is in this layer.
export function lookedIn(bench: Bench, layer: string): Cell | null {
  return bench.looked?.layer === layer ? bench.looked : null;
}
export function heldIn(bench: Bench, layer: string): Cell | null {
  return bench.held?.layer === layer ? bench.held : null;
}
// Returns the shown cell, if it is in the layer that computes the logits, or in a softmax layer after it.
export function lookedInLogits(bench: Bench): Cell | null {
  const { looked, table } = bench;
  const row = table.find(({ layer }) => layer.name === looked?.layer);
  return row !== undefined && row.index >= logitsRow(table).index ? looked : null;
}

function valuesIn(bench: Bench, layer: string): { values: ArrayLike<number>; shape: number[] } {
  const row = bench.table.find((row) => row.layer.name === layer);
  return row === undefined
    ? { values: bench.pixels, shape: bench.table[0].inputShape }
    : { values: bench.forward.activations[row.index], shape: row.outputShape };
}
// Reads the value of a cell.
export function valueAt(bench: Bench, { layer, map, row, column }: Cell): number {
  const { values, shape } = valuesIn(bench, layer);
  const [, columns, maps] = sizesOf(shape);
  return values[(row * columns + column) * maps + map];
}
// Reads all values of one map.
export function mapOf(bench: Bench, layer: string, map: number): number[] {
  const { values, shape } = valuesIn(bench, layer);
  const [rows, columns, maps] = sizesOf(shape);
  return Array.from({ length: rows * columns }, (_, pixel) => values[pixel * maps + map]);
}
// Reads the values from which a pooled value was computed.
export function windowOf(bench: Bench, cell: Cell): number[] {
  const row = bench.table.find((row) => row.layer.name === cell.layer)!;
  const { layer } = sourceOf(bench.table, row);
  const frame = receptiveFrame(bench.table, cell).get(layer);
  if (frame === undefined) return [];
  const cells = Array.from({ length: frame.height * frame.width }, (_, i) => ({
    layer,
    map: cell.map,
    row: frame.top + Math.floor(i / frame.width),
    column: frame.left + (i % frame.width),
  }));
  return cells.map((cell) => valueAt(bench, cell));
}
// Counts the rows and columns of the image in the receptive field of a cell.
export function pixelsSeen(bench: Bench, cell: Cell): [number, number] {
  const frame = receptiveFrame(bench.table, cell).get('input');
  return frame === undefined ? [0, 0] : [frame.height, frame.width];
}

// True if the values of a window are not all written alike; a single value is its own window.
export const isVaried = (values: number[]) =>
  values.length < 2 || new Set(values.map((value) => number(value, 2))).size > 1;
// True if all outputs of a layer are equal for the image, so that the lesson cannot ask for a place where they differ.
export const isConstant = (bench: Bench, index: number) => new Set(bench.forward.activations[index]).size === 1;

const CELLS = 4; // rows and columns of cells into which the pad is divided

// True if the strokes go through every part of the pad, which no letter, digit or other symbol does.
export function fillsPad(strokes: Stroke[]): boolean {
  const visited = new Set<number>();
  const cellOf = (share: number) => Math.min(CELLS - 1, Math.max(0, Math.floor(share * CELLS)));
  for (const { points } of strokes) {
    for (const [i, [x, y]] of points.entries()) {
      const [fromX, fromY] = points[Math.max(0, i - 1)];
      for (let part = 0; part <= 1; part += 1 / 16) {
        visited.add(CELLS * cellOf(fromY + part * (y - fromY)) + cellOf(fromX + part * (x - fromX)));
      }
    }
  }
  return visited.size === CELLS * CELLS;
}

// Finds the trained network's most confident mistake among the embedded images; null if there is none.
export const findMistake = (bench: Bench): Mistake | null =>
  surestMistake(runNow(predictions(bench)), bench.images.labels);

export function chooseLabelled(bench: Bench): void {
  if (bench.label === null) bench.choose(0);
}
export function chooseMistake(bench: Bench): void {
  bench.choose(findMistake(bench)?.position ?? 0);
}

export const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
export const largest = (values: ArrayLike<number>) =>
  Array.from(values).reduce((high, value) => Math.max(high, value), -Infinity);
export const smallest = (values: ArrayLike<number>) =>
  Array.from(values).reduce((low, value) => Math.min(low, value), Infinity);
