// Ablations: filters are replaced by a constant, other parts by a changed network.
import { logitsRow, rowNamed } from '../engine/architecture';
import type { Architecture, LayerRow, Replacement, Weights } from '../engine/types';

export type ReplacementValue = 'zero' | 'mean';

// An ablation sets a filter (or all of the layer if `filter` is null) to zero or to its mean over test images, or removes a
// part of a layer: its activation function, its bias (set to zero), or the selection of its pooling (the mean of the window
// instead of its largest value).
export type Ablation =
  | { part: 'filter'; layer: string; filter: number | null; value: ReplacementValue }
  | { part: 'activation' | 'bias' | 'pooling'; layer: string };

// True if both ablate the same part. A filter set to zero and the same filter set to its mean are the same part.
export function sameAblation(a: Ablation, b: Ablation): boolean {
  return (
    a.part === b.part && a.layer === b.layer && (a.part !== 'filter' || b.part !== 'filter' || a.filter === b.filter)
  );
}

// Counts the filters of a layer that can be replaced; 0 for a Flatten and from the logits on.
export function countFilters(table: LayerRow[], row: LayerRow): number {
  if (row.index >= logitsRow(table).index || row.layer.kind === 'Flatten') return 0;
  return row.outputShape[row.outputShape.length - 1];
}

// Lists the layers with a kernel, except the one that computes the logits, with their numbers of filters or units.
export function weightedFilters(table: LayerRow[]): { layer: string; kind: string; filters: number }[] {
  return table
    .filter((row) => `${row.layer.name}/kernel` in row.weightShapes && countFilters(table, row) > 0)
    .map((row) => ({ layer: row.layer.name, kind: row.layer.kind, filters: countFilters(table, row) }));
}

export function removableParts(row: LayerRow): ('activation' | 'bias' | 'pooling')[] {
  const { kind, name, activation = 'linear' } = row.layer;
  const parts: ('activation' | 'bias' | 'pooling')[] = [];
  if (activation !== 'linear' && activation !== 'softmax') parts.push('activation');
  if (`${name}/bias` in row.weightShapes) parts.push('bias');
  if (kind === 'MaxPooling2D' || kind === 'GlobalMaxPooling2D') parts.push('pooling');
  return parts;
}

// Makes a replacement for each ablated filter.
export function replacementsFor(
  table: LayerRow[],
  means: Record<string, Float32Array>,
  ablations: Ablation[],
): Replacement[] {
  const all: Replacement[] = [];
  for (const ablation of ablations) {
    if (ablation.part !== 'filter') continue;
    const count = countFilters(table, rowNamed(table, ablation.layer));
    const filters = ablation.filter === null ? Array.from({ length: count }, (_, k) => k) : [ablation.filter];
    for (const filter of filters) {
      const value = ablation.value === 'mean' ? (means[ablation.layer]?.[filter] ?? 0) : 0;
      all.push({ layer: ablation.layer, filter, value });
    }
  }
  return all;
}

// Changes a network so that it lacks the removed parts. Returns the same objects if no part is removed.
export function withoutParts(
  architecture: Architecture,
  weights: Weights,
  ablations: Ablation[],
): { architecture: Architecture; weights: Weights } {
  const removed = ablations.filter((ablation) => ablation.part !== 'filter');
  if (removed.length === 0) return { architecture, weights };
  const lacks = (layer: string, part: Ablation['part']) =>
    removed.some((ablation) => ablation.layer === layer && ablation.part === part);
  const changed = { ...weights };
  const layers = architecture.layers.map((layer) => {
    const bias = `${layer.name}/bias`;
    if (lacks(layer.name, 'bias') && changed[bias]) changed[bias] = new Float32Array(changed[bias].length);
    let result = layer;
    if (lacks(layer.name, 'activation')) result = { ...result, activation: 'linear' };
    if (lacks(layer.name, 'pooling')) result = { ...result, kind: result.kind.replace('Max', 'Average') };
    return result;
  });
  return { architecture: { ...architecture, layers }, weights: changed };
}

const GATE = '_ablation'; // ends the names of the added layers: conv1 is followed by conv1_ablation

// Writes replacements into a network, since gradients support no replacements: adds a batch normalisation after each layer
// with replaced filters. Its gamma is 1 for a filter that stays; it is 0 for a replaced filter, whose beta is the constant.
export function withReplacements(
  table: LayerRow[],
  architecture: Architecture,
  weights: Weights,
  replacements: Replacement[],
): { architecture: Architecture; weights: Weights } {
  const changedLayers = new Set(replacements.map((replacement) => replacement.layer));
  if (changedLayers.size === 0) return { architecture, weights };
  const gated = { ...weights };
  const layers = architecture.layers.flatMap((layer) => {
    const from = layer.from_layer;
    // A layer that also reads an earlier layer reads it with its replacements.
    const spec = from !== undefined && changedLayers.has(from) ? { ...layer, from_layer: from + GATE } : layer;
    if (!changedLayers.has(layer.name)) return [spec];
    const name = layer.name + GATE;
    const epsilon = 1e-3;
    const filters = countFilters(table, rowNamed(table, layer.name));
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
    // (x - 0) / sqrt(1 - epsilon + epsilon) = x, so the output is gamma * x + beta.
    gated[`${name}/moving_variance`] = new Float32Array(filters).fill(1 - epsilon);
    return [spec, { kind: 'BatchNormalization', name, momentum: 0.99, epsilon, activation: 'linear' as const }];
  });
  return { architecture: { ...architecture, layers }, weights: gated };
}

// Names the layer that holds the output of `layer`, with its replacements, after `withReplacements`.
export function ablatedOutput(architecture: Architecture, layer: string): string {
  return architecture.layers.some((candidate) => candidate.name === layer + GATE) ? layer + GATE : layer;
}
