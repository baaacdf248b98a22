// Reads one map of a layer as the lens shows it: its values, and the range and palette of its colours, as in the flow.
import { mapOf, type Range } from '../../analysis/ranges';
import { sizesOf } from '../../analysis/receptive';
import type { LayerRow } from '../../engine/types';
import type { Bench } from '../../state/bench.svelte';
import { shownOutputs, type ShownOutput } from '../parts/outputs';

export interface MapView extends Range {
  values: Float32Array; // (rows, columns)
  rows: number;
  columns: number;
  palette: 'sequential' | 'signed' | 'grey';
}

// What the flow shows, from which the lens reads.
export interface Shown {
  table: LayerRow[];
  outputs: ShownOutput[]; // by layer
  pixels: Uint8Array; // (H, W, C)
  brightest: number; // the largest absolute value of a pixel that the network reads
}

export function shownOn(bench: Bench): Shown {
  const { scale, offset } = bench.model.architecture.input;
  const brightest = Math.max(Math.abs(offset), Math.abs(255 * scale + offset));
  return { table: bench.ablated.table, outputs: shownOutputs(bench), pixels: bench.pixels, brightest };
}

export function viewOf({ table, outputs, pixels }: Shown, layer: string, map: number): MapView {
  const row = table.find((row) => row.layer.name === layer);
  const [rows, columns, maps] = sizesOf(row?.outputShape ?? table[0].inputShape);
  if (row === undefined) return { values: mapOf(pixels, maps, map), rows, columns, low: 0, high: 255, palette: 'grey' };
  const { values, ...colours } = outputs[row.index];
  return { values: mapOf(values, maps, map), rows, columns, ...colours };
}
