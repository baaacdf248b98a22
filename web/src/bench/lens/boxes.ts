// The areas of a map that the lens frames, in cells: a cell, a window, and the cells that a window reads.
import type { WindowValues } from '../../analysis/cell';

export interface Box {
  top: number;
  left: number;
  rows: number;
  columns: number;
}

export function cellBox(cell: { row: number; column: number }): Box {
  return { top: cell.row, left: cell.column, rows: 1, columns: 1 };
}

// Frames a window from its first to its last cell: 3 rows with dilation 2 read the rows 0, 2 and 4, so the frame has 5.
export function windowBox({ top, left, rows, columns, dilation: [down, right] }: WindowValues): Box {
  return { top, left, rows: (rows - 1) * down + 1, columns: (columns - 1) * right + 1 };
}

// Frames the cell that value i of a window was read from. The values stand row by row.
export function valueBox({ top, left, columns, dilation: [down, right] }: WindowValues, i: number): Box {
  return cellBox({ row: top + Math.floor(i / columns) * down, column: left + (i % columns) * right });
}

// Frames each cell that a dilated window reads; a value outside the map is NaN. Others read their whole frame.
export function readBoxes(window: WindowValues): Box[] {
  const { values, dilation } = window;
  if (dilation[0] === 1 && dilation[1] === 1) return [];
  return values.flatMap((value, i) => (Number.isNaN(value) ? [] : [valueBox(window, i)]));
}
