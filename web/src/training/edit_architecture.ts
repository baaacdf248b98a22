// Edits an architecture: width, dropout, inserted and removed layers. `layerTable` checks the result.
import type { Architecture, LayerSpec } from '../engine/types';

// The kinds of layers that can be inserted, with the stem of their names.
const STEMS = {
  Conv2D: 'conv2d',
  MaxPooling2D: 'max_pooling2d',
  ZeroPadding2D: 'zero_padding2d',
  BatchNormalization: 'batch_normalization',
  Activation: 'activation',
  Dense: 'dense',
  Flatten: 'flatten',
} as const;

export type InsertableKind = keyof typeof STEMS;
export const INSERTABLE = Object.keys(STEMS) as InsertableKind[];

const FILTERS = 16; // filters of a new convolution if there is none before it
const UNITS = 64; // units of a new dense layer

function withLayers(architecture: Architecture, layers: LayerSpec[]): Architecture {
  return { ...architecture, layers };
}

function freshName(architecture: Architecture, stem: string): string {
  const taken = new Set(architecture.layers.map((layer) => layer.name));
  for (let i = 0; ; i++) {
    const name = i === 0 ? stem : `${stem}_${i}`;
    if (!taken.has(name)) return name;
  }
}

// Finds the last layer with filters or units.
export const lastWeightedIndex = ({ layers }: Architecture) =>
  layers.findLastIndex((layer) => layer.filters !== undefined || layer.units !== undefined);

// Multiplies the filters and units of all hidden layers by `factor`, to at least one.
export function scaleWidth(architecture: Architecture, factor: number): Architecture {
  const last = lastWeightedIndex(architecture);
  const scale = (count: number) => Math.max(1, Math.round(count * factor));
  return withLayers(
    architecture,
    architecture.layers.map((layer, i) => {
      if (i === last) return layer;
      if (layer.filters !== undefined) return { ...layer, filters: scale(layer.filters) };
      if (layer.units !== undefined) return { ...layer, units: scale(layer.units) };
      return layer;
    }),
  );
}

// Finds the layer that computes the logits. An activation layer after it cannot be changed.
export function logitsIndex({ layers }: Architecture): number {
  const index = layers.findLastIndex((layer) => layer.kind !== 'Activation');
  return index < 0 ? layers.length - 1 : index;
}

function layerBeforeLogits(architecture: Architecture): LayerSpec | undefined {
  return architecture.layers[logitsIndex(architecture) - 1];
}

// Reads the rate of the dropout before the logits; 0 without one.
export function dropoutRate(architecture: Architecture): number {
  const layer = layerBeforeLogits(architecture);
  return layer?.kind === 'Dropout' ? (layer.rate ?? 0) : 0;
}

// Puts dropout of this rate before the layer that computes the logits; rate 0 removes it.
export function withDropout(architecture: Architecture, rate: number): Architecture {
  const layers = [...architecture.layers];
  const last = logitsIndex(architecture);
  const present = layerBeforeLogits(architecture);
  if (present?.kind === 'Dropout') {
    layers.splice(last - 1, 1, ...(rate > 0 ? [{ ...present, rate }] : []));
  } else if (rate > 0) {
    layers.splice(last, 0, { kind: 'Dropout', name: freshName(architecture, 'dropout'), rate });
  }
  return withLayers(architecture, layers);
}

export function withoutLayer(architecture: Architecture, name: string): Architecture {
  return withLayers(
    architecture,
    architecture.layers.filter((layer) => layer.name !== name),
  );
}

function newLayer(architecture: Architecture, before: number, kind: InsertableKind): LayerSpec {
  const name = freshName(architecture, STEMS[kind]);
  const filters = architecture.layers.slice(0, before).findLast((layer) => layer.filters !== undefined)?.filters;
  switch (kind) {
    case 'Conv2D':
      return {
        kind,
        name,
        filters: filters ?? FILTERS,
        kernel_size: [3, 3],
        strides: [1, 1],
        padding: 'same', // so that it fits wherever there are maps
        activation: 'relu',
        use_bias: true,
      };
    case 'MaxPooling2D':
      return { kind, name, pool_size: [2, 2], strides: [2, 2], padding: 'valid' };
    case 'ZeroPadding2D':
      return {
        kind,
        name,
        padding: [
          [1, 1],
          [1, 1],
        ],
      };
    case 'Activation':
      return { kind, name, activation: 'relu', negative_slope: 0.2 };
    case 'BatchNormalization':
      // Keras's momentum of 0.99 averages over about a hundred steps: too many for the page's short runs.
      return { kind, name, momentum: 0.9, epsilon: 1e-3, activation: 'linear' };
    case 'Dense':
      return { kind, name, units: UNITS, activation: 'relu', use_bias: true };
    case 'Flatten':
      return { kind, name };
  }
}

// Inserts a new layer before index `before`.
export function withInserted(architecture: Architecture, before: number, kind: InsertableKind): Architecture {
  const layers = [...architecture.layers];
  layers.splice(before, 0, newLayer(architecture, before, kind));
  return withLayers(architecture, layers);
}
