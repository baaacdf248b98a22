// Describes a cell of the flow in words, for screen readers.
import { sizesOf, type Cell } from '../../analysis/receptive';
import type { LayerRow } from '../../engine/types';
import { say } from '../../text/say.svelte';
import type { ShownOutput } from '../parts/outputs';
import { isVector, numberText } from '../parts/words';

// `outputs` has an entry for each row of the table; `pixels` is the image (H, W, C).
export function describeCell(cell: Cell, table: LayerRow[], outputs: ShownOutput[], pixels: Uint8Array): string {
  const { layer, map, row, column } = cell;
  const index = table.findIndex((candidate) => candidate.layer.name === layer); // -1 for the image
  const shape = index < 0 ? table[0].inputShape : table[index].outputShape;
  const [, columns, maps] = sizesOf(shape);
  const value = numberText((index < 0 ? pixels : outputs[index].values)[(row * columns + column) * maps + map]);
  return isVector(shape)
    ? say('flow.unitValue', { layer, map: String(map), value })
    : say('flow.mapValue', { layer, map: String(map), row, column, value });
}
