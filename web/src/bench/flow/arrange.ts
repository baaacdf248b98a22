// Arranges the layers of a network: by depth, and branches in lanes. Here the second path of a block has a lane of its own:
//   depth  0      1     2         3         4
//   lane 0 image  conv  conv_1 ──────────▶  add
//   lane 1              conv_2 ─▶ conv_3 ─▶
import { beforeOf, earlierOf } from '../../engine/architecture';
import type { LayerRow } from '../../engine/types';

export interface Spot {
  depth: number; // more than those of all layers that the layer reads; the image has 0
  lane: number;
  until: number; // the last depth at which its output is still on its way in the lane
}

export interface Connection {
  from: number; // index of a layer; -1 is the image
  to: number;
}

const isBranch = ({ layer }: LayerRow) => layer.kind === 'Branch';

// A Branch computes nothing: the layer after it reads what the Branch reads.
function readBy(table: LayerRow[], index: number): number[] {
  const pass = (source: number): number =>
    source >= 0 && isBranch(table[source]) ? pass(beforeOf(table, source)) : source;
  const earlier = earlierOf(table, index);
  return [beforeOf(table, index), ...(earlier === null ? [] : [earlier])].map(pass);
}

export function connections(table: LayerRow[]): Connection[] {
  return table.flatMap((row, to) => (isBranch(row) ? [] : readBy(table, to).map((from) => ({ from, to }))));
}

// Finds the spot of the image and of each layer. A Branch takes the first lane that is free from its depth on.
export function arrange(table: LayerRow[]): Spot[] {
  const spots: Spot[] = [{ depth: 0, lane: 0, until: 0 }];
  table.forEach((row, index) => {
    const sources = readBy(table, index).map((source) => spots[source + 1]);
    const depth = Math.max(...sources.map((source) => source.depth)) + (isBranch(row) ? 0 : 1);
    const isFree = (lane: number) => spots.every((spot) => spot.lane !== lane || spot.until <= depth);
    let lane = Math.min(spots[index].lane, ...sources.map((source) => source.lane));
    if (isBranch(row)) for (lane = 1; !isFree(lane);) lane++;
    else if (sources.length === 1) lane = spots[index].lane; // a Branch before it has the lane
    for (const source of sources) if (!isBranch(row)) source.until = Math.max(source.until, depth - 1);
    spots.push({ depth, lane, until: isBranch(row) ? 0 : depth });
  });
  return spots;
}

// Counts the lanes that are in use at a depth.
export function lanesAt(spots: Spot[], depth: number): number {
  return 1 + Math.max(...spots.map((spot) => (spot.depth <= depth && depth <= spot.until ? spot.lane : 0)));
}

// True for a connection that passes over a layer in its own lane.
export function skips(spots: Spot[], { from, to }: Connection): boolean {
  const [start, end] = [spots[from + 1], spots[to + 1]];
  return spots.some(({ lane, depth }) => lane === start.lane && depth > start.depth && depth < end.depth);
}
