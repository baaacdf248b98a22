// What can be switched off in a network, and how: filters by what they give, everything else by another network.
import { logitsRow, rowNamed } from '../engine/architecture';
import type { Architecture, LayerRow, Replacement, Weights } from '../engine/types';

export type Value = 'zero' | 'mean';

// A filter, or with `filter` null every filter of the layer, gives zero or its mean over the test images; or a part of the
// layer is taken away: its activation function, its bias (zero), or what its pooling selects (the mean of the window
// instead of its largest value).
export type Ablation =
  | { part: 'filter'; layer: string; filter: number | null; value: Value }
  | { part: 'activation' | 'bias' | 'pooling'; layer: string };

export function sameAblation(a: Ablation, b: Ablation): boolean {
  return (
    a.part === b.part && a.layer === b.layer && (a.part !== 'filter' || b.part !== 'filter' || a.filter === b.filter)
  );
}

// Whether a layer's filters can be replaced. Those of the last one, or of the layer that it passes on, are the logits.
export function filtersOf(table: LayerRow[], row: LayerRow): number {
  if (row.index >= logitsRow(table).index || row.layer.kind === 'Flatten') return 0;
  return row.outputShape[row.outputShape.length - 1];
}

export function partsOf(row: LayerRow): ('activation' | 'bias' | 'pooling')[] {
  const { kind, name, activation = 'linear' } = row.layer;
  const parts: ('activation' | 'bias' | 'pooling')[] = [];
  if (activation !== 'linear' && activation !== 'softmax') parts.push('activation');
  if (`${name}/bias` in row.weightShapes) parts.push('bias');
  if (kind === 'MaxPooling2D' || kind === 'GlobalMaxPooling2D') parts.push('pooling');
  return parts;
}

export function replacements(
  table: LayerRow[],
  means: Record<string, Float32Array>,
  ablations: Ablation[],
): Replacement[] {
  const all: Replacement[] = [];
  for (const ablation of ablations) {
    if (ablation.part !== 'filter') continue;
    const count = filtersOf(table, rowNamed(table, ablation.layer));
    const filters = ablation.filter === null ? Array.from({ length: count }, (_, k) => k) : [ablation.filter];
    for (const filter of filters) {
      const value = ablation.value === 'mean' ? (means[ablation.layer]?.[filter] ?? 0) : 0;
      all.push({ layer: ablation.layer, filter, value });
    }
  }
  return all;
}

// The network without the parts that are taken away; the same objects where there are none.
export function withoutParts(
  architecture: Architecture,
  weights: Weights,
  ablations: Ablation[],
): { architecture: Architecture; weights: Weights } {
  const taken = ablations.filter((ablation) => ablation.part !== 'filter');
  if (taken.length === 0) return { architecture, weights };
  const has = (layer: string, part: Ablation['part']) =>
    taken.some((ablation) => ablation.layer === layer && ablation.part === part);
  const changed = { ...weights };
  const layers = architecture.layers.map((layer) => {
    const bias = `${layer.name}/bias`;
    if (has(layer.name, 'bias') && changed[bias]) changed[bias] = new Float32Array(changed[bias].length);
    let result = layer;
    if (has(layer.name, 'activation')) result = { ...result, activation: 'linear' };
    if (has(layer.name, 'pooling')) result = { ...result, kind: result.kind.replace('Max', 'Average') };
    return result;
  });
  return { architecture: { ...architecture, layers }, weights: changed };
}

// What can be lost one by one: filters and units that have weights of their own, but for the last layer's.
export function weightedFilters(table: LayerRow[]): { layer: string; kind: string; filters: number }[] {
  return table
    .filter((row) => `${row.layer.name}/kernel` in row.weightShapes && filtersOf(table, row) > 0)
    .map((row) => ({ layer: row.layer.name, kind: row.layer.kind, filters: filtersOf(table, row) }));
}

const GATE = '_ablation';

// The same network with the replacements written into it: behind each such layer stands one that lets through what stays
// and gives a constant for the rest. Gradients, which know no replacements, are then those of the network with ablations.
export function withReplacements(
  table: LayerRow[],
  architecture: Architecture,
  weights: Weights,
  replacements: Replacement[],
): { architecture: Architecture; weights: Weights } {
  const hit = new Set(replacements.map((replacement) => replacement.layer));
  if (hit.size === 0) return { architecture, weights };
  const gated = { ...weights };
  const layers = architecture.layers.flatMap((layer) => {
    const from = layer.from_layer;
    const spec = from !== undefined && hit.has(from) ? { ...layer, from_layer: from + GATE } : layer;
    if (!hit.has(layer.name)) return [spec];
    const name = layer.name + GATE;
    const epsilon = 1e-3;
    const filters = filtersOf(table, rowNamed(table, layer.name));
    const gamma = new Float32Array(filters).fill(1);
    const beta = new Float32Array(filters);
    for (const item of replacements) {
      if (item.layer !== layer.name) continue;
      gamma[item.filter] = 0;
      beta[item.filter] = item.value;
    }
    gated[`${name}/gamma`] = gamma;
    gated[`${name}/beta`] = beta;
    gated[`${name}/moving_mean`] = new Float32Array(filters);
    gated[`${name}/moving_variance`] = new Float32Array(filters).fill(1 - epsilon);
    return [spec, { kind: 'BatchNormalization', name, momentum: 0.99, epsilon, activation: 'linear' as const }];
  });
  return { architecture: { ...architecture, layers }, weights: gated };
}

// Where the output of a layer is found in a network with the replacements written into it.
export function outputOf(architecture: Architecture, layer: string): string {
  return architecture.layers.some((candidate) => candidate.name === layer + GATE) ? layer + GATE : layer;
}
