// Links between maps: which maps a map reads, and which maps read it. The flow draws them as ribbons.
import { channelsOfEarlier, earlierOf } from '../engine/architecture';
import { mapsRead } from '../engine/layers';
import type { LayerRow, Weights } from '../engine/types';
import { passesOn, sourceOf } from './kernel';
import { sizesOf } from './receptive';

// `layer` is an index of the table; -1 is the image. `weight` is the sum of the weights between the two maps, `strength` the
// sum of their absolute values; for a layer without weights both are 1.
export interface Link {
  layer: number;
  map: number;
  weight: number;
  strength: number;
}

const sourceIndex = (table: LayerRow[], index: number) => sourceOf(table, table[index])?.index ?? -1;

function sizesAt(table: LayerRow[], index: number): [number, number, number] {
  return sizesOf(index < 0 ? table[0].inputShape : table[index].outputShape);
}

type Strength = Pick<Link, 'weight' | 'strength'>;

const WITHOUT_WEIGHTS: Strength = { weight: 1, strength: 1 };

// Sums the weights of layer `index` between its input map `from` and its output map `to`; null if they are not linked.
function linkBetween(table: LayerRow[], weights: Weights, index: number, from: number, to: number): Strength | null {
  const row = table[index];
  const kernel = weights[`${row.layer.name}/kernel`];
  switch (row.layer.kind) {
    case 'Conv2D': {
      const { first, count } = mapsRead(row.layer, row.inputShape, to);
      const filters = row.outputShape[2];
      if (from < first || from >= first + count) return null;
      return sumWeights(kernel, (from - first) * filters + to, count * filters);
    }
    case 'DepthwiseConv2D': {
      const multiplier = row.layer.depth_multiplier ?? 1;
      return Math.floor(to / multiplier) === from ? sumWeights(kernel, to, row.outputShape[2]) : null;
    }
    case 'Dense': {
      // The layer has a weight for each pixel of the flattened map: its kernel is (pixels, maps, units).
      const [, , maps] = sizesAt(table, sourceIndex(table, index));
      const units = row.outputShape[0];
      return sumWeights(kernel, from * units + to, maps * units);
    }
    case 'Flatten': {
      const [, , maps] = sizesOf(row.inputShape);
      return to % maps === from ? WITHOUT_WEIGHTS : null;
    }
    default: // map by map; in a Concatenate the input's maps follow those of the earlier layer
      return from + channelsOfEarlier(table, index) === to ? WITHOUT_WEIGHTS : null;
  }
}

// Sums every `step`-th weight of a kernel from `first` on. In a kernel (rows, columns, channels, filters) the weights of a
// channel and filter are channels * filters apart.
function sumWeights(kernel: Float32Array, first: number, step: number): Strength {
  let weight = 0;
  let strength = 0;
  for (let i = first; i < kernel.length; i += step) {
    weight += kernel[i];
    strength += Math.abs(kernel[i]);
  }
  return { weight, strength };
}

function strongest(links: Link[], count: number): Link[] {
  return links.sort((a, b) => b.strength - a.strength).slice(0, count);
}

// Finds the maps that a map reads, the strongest first.
export function linksBack(table: LayerRow[], weights: Weights, index: number, map: number, count: number): Link[] {
  if (index < 0) return [];
  const source = sourceIndex(table, index);
  const links: Link[] = [];
  const maps = sizesAt(table, source)[2];
  for (let from = 0; from < maps; from++) {
    const link = linkBetween(table, weights, index, from, map);
    if (link !== null) links.push({ layer: source, map: from, ...link });
  }
  const earlier = earlierOf(table, index);
  if (
    earlier !== null &&
    (['Add', 'Multiply'].includes(table[index].layer.kind) || map < channelsOfEarlier(table, index))
  ) {
    links.push({ layer: earlier, map, ...WITHOUT_WEIGHTS });
  }
  return strongest(links, count);
}

// Finds the maps that read a map, the strongest first.
export function linksForward(table: LayerRow[], weights: Weights, index: number, map: number, count: number): Link[] {
  let target = index + 1;
  while (target < table.length && passesOn(table[target])) target++;
  const links: Link[] = [];
  const isRead = target < table.length && table[target].layer.kind !== 'Branch'; // a Branch reads an earlier layer instead
  const isPassedOn = index >= 0 && passesOn(table[index]); // then the readers are linked to the layer before it
  if (isRead && !isPassedOn) {
    const maps = sizesAt(table, target)[2];
    for (let to = 0; to < maps; to++) {
      const link = linkBetween(table, weights, target, map, to);
      if (link !== null) links.push({ layer: target, map: to, ...link });
    }
  }
  const name = index < 0 ? 'input' : table[index].layer.name;
  // Add, Concatenate and Branch name a layer that they also read.
  table.forEach((row, i) => {
    if (row.layer.from_layer === name) links.push({ layer: i, map, ...WITHOUT_WEIGHTS });
  });
  return strongest(links, count);
}
