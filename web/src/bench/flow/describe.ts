// Describes a cell of the flow in words, for screen readers.
import { sizesOf, type Cell } from '../../analysis/receptive';
import type { Bench } from '../../state/bench.svelte';
import { say } from '../../text/say.svelte';
import { partTitle } from '../parts/headings';
import type { ShownOutput } from '../parts/outputs';
import { isVector, numberText } from '../parts/words';

// `outputs` has an entry for each layer of the network without its ablated parts.
export function describeCell(cell: Cell, bench: Bench, outputs: ShownOutput[]): string {
  const { table } = bench.ablated;
  const { layer, map, row, column } = cell;
  const index = table.findIndex((candidate) => candidate.layer.name === layer); // -1 for the image
  const shape = index < 0 ? table[0].inputShape : table[index].outputShape;
  const [, columns, maps] = sizesOf(shape);
  const value = numberText((index < 0 ? bench.pixels : outputs[index].values)[(row * columns + column) * maps + map]);
  const part = partTitle(table, layer, map, bench.classNames);
  return isVector(shape) ? say('flow.unitValue', { part, value }) : say('flow.mapValue', { part, row, column, value });
}
