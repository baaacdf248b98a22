// Moves the held cell of the flow by keys: arrows within a layer, brackets to another layer.
import type { Cell } from '../../analysis/receptive';
import { ARROWS } from '../../ui/arrows';
import type { Grid } from './grid';

type KeyPress = Pick<KeyboardEvent, 'key' | 'altKey' | 'ctrlKey' | 'metaKey'>;

export function isArrow(key: string): boolean {
  return key in ARROWS;
}

function clampIndex(value: number, count: number): number {
  return Math.max(0, Math.min(count - 1, value));
}

// Returns -1 for "[", the previous layer, 1 for "]", the next one, else 0. Ctrl or Cmd with a bracket belongs to the
// browser. But many keyboards type brackets with AltGr, reported as Ctrl and Alt, or with Option, reported as Alt.
export function stepOfBracket({ key, altKey, ctrlKey, metaKey }: KeyPress): number {
  if (metaKey || (ctrlKey && !altKey)) return 0;
  return key === ']' ? 1 : key === '[' ? -1 : 0;
}

// Moves the cell by an arrow within the map; with shift, or if maps are single numbers, to the neighbouring map.
export function stepWithin(cell: Cell, grid: Grid, key: string, shift: boolean): Cell {
  const [down, right] = ARROWS[key];
  if (shift || (grid.rows === 1 && grid.columns === 1)) {
    const map = cell.map + down * grid.gridColumns + right;
    return map < 0 || map >= grid.shown ? cell : { ...cell, map };
  }
  return {
    ...cell,
    row: clampIndex(cell.row + down, grid.rows),
    column: clampIndex(cell.column + right, grid.columns),
  };
}

// Finds the cell of another layer at the same relative position.
export function stepAcross(cell: Cell, from: Grid, layer: string, to: Grid): Cell {
  // The middle of cell i of `count` is at the share (i + 0.5) / count of the axis.
  const scaled = (i: number, count: number, newCount: number) =>
    clampIndex(Math.floor(((i + 0.5) * newCount) / count), newCount);
  return {
    layer,
    map: clampIndex(cell.map, to.shown),
    row: scaled(cell.row, from.rows, to.rows),
    column: scaled(cell.column, from.columns, to.columns),
  };
}
