// The changes that a reader makes to a network before training it.
import { describe, expect, test } from 'vitest';
import { layerTable } from '../src/engine/architecture';
import type { Architecture } from '../src/engine/types';
import {
  dropoutRate,
  scaleWidth,
  withDropout,
  withInserted,
  withoutLayer,
  type InsertableKind,
} from '../src/training/edit_architecture';

const small: Architecture = {
  name: 'small',
  input: { height: 12, width: 10, channels: 3, scale: 1 / 255, offset: 0 },
  layers: [
    {
      kind: 'Conv2D',
      name: 'conv2d',
      filters: 5,
      kernel_size: [3, 3],
      strides: [1, 1],
      padding: 'valid',
      activation: 'relu',
      use_bias: true,
    },
    { kind: 'MaxPooling2D', name: 'max_pooling2d', pool_size: [2, 2], strides: [2, 2], padding: 'valid' },
    { kind: 'Flatten', name: 'flatten' },
    { kind: 'Dense', name: 'dense', units: 7, activation: 'relu', use_bias: true },
    { kind: 'Dense', name: 'dense_1', units: 4, activation: 'softmax', use_bias: true },
  ],
};
const names = (architecture: Architecture) => architecture.layers.map((layer) => layer.name);
const outputs = (architecture: Architecture) => layerTable(architecture).map((row) => row.outputShape);

describe('a change of an architecture', () => {
  test('scales hidden layers to at least one filter, and not the classes', () => {
    expect(outputs(scaleWidth(small, 2))).toEqual([[10, 8, 10], [5, 4, 10], [200], [14], [4]]);
    expect(outputs(scaleWidth(small, 0.01)).map((shape) => shape.at(-1))).toEqual([1, 1, 20, 1, 4]);
  });

  test('adds dropout before the last layer, changes its rate, and removes it', () => {
    const dropped = withDropout(small, 0.5);
    expect(names(dropped)).toEqual(['conv2d', 'max_pooling2d', 'flatten', 'dense', 'dropout', 'dense_1']);
    expect(dropoutRate(dropped)).toBe(0.5);
    expect(dropoutRate(withDropout(dropped, 0.2))).toBe(0.2);
    expect(withDropout(dropped, 0)).toEqual(small);
    expect(withDropout(small, 0)).toEqual(small);
  });

  test.each<[InsertableKind, number, string]>([
    ['Conv2D', 1, 'conv2d_1'],
    ['MaxPooling2D', 0, 'max_pooling2d_1'],
    ['BatchNormalization', 1, 'batch_normalization'],
    ['BatchNormalization', 4, 'batch_normalization'],
    ['Dense', 3, 'dense_2'],
    ['Flatten', 3, 'flatten_1'],
    ['ZeroPadding2D', 0, 'zero_padding2d'],
    ['Activation', 4, 'activation'],
  ])('inserts %s at place %i under a name of its own, and it is a network', (kind, index, name) => {
    const more = withInserted(small, index, kind);
    expect(more.layers[index]).toMatchObject({ kind, name });
    expect(layerTable(more)).toHaveLength(6);
    expect(names(withoutLayer(more, name))).toEqual(names(small));
  });

  test('finds the layer that computes the logits, before a softmax layer or after a pooling', () => {
    const apart: Architecture = {
      ...small,
      layers: [
        ...small.layers.slice(0, -1),
        { kind: 'Dense', name: 'dense_1', units: 4, activation: 'linear', use_bias: true },
        { kind: 'Activation', name: 'activation', activation: 'softmax' },
      ],
    };
    expect(outputs(scaleWidth(apart, 2)).slice(-3)).toEqual([[14], [4], [4]]);
    expect(names(withDropout(apart, 0.5)).slice(-3)).toEqual(['dropout', 'dense_1', 'activation']);
    expect(dropoutRate(withDropout(apart, 0.5))).toBe(0.5);
    expect(withDropout(withDropout(apart, 0.5), 0)).toEqual(apart);
    const pooled: Architecture = {
      ...small,
      layers: [small.layers[0], { kind: 'GlobalAveragePooling2D', name: 'mean' }],
    };
    expect(outputs(scaleWidth(pooled, 2)).at(-1)).toEqual([5]);
  });

  test('leaves it to the table to refuse invalid layers with a sentence', () => {
    expect(() => layerTable(withInserted(small, 4, 'Conv2D'))).toThrow(/conv2d_1/);
    expect(() => layerTable(withoutLayer(small, 'flatten'))).toThrow(/dense/);
  });

  test('does not change its argument', () => {
    const before = JSON.stringify(small);
    withInserted(scaleWidth(withDropout(withoutLayer(small, 'dense'), 0.3), 2), 1, 'Conv2D');
    expect(JSON.stringify(small)).toBe(before);
  });
});
