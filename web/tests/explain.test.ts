// Explanations, ablations and statistics that the page computes with the engine, on networks with drawn weights.
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { normalize } from '../src/analysis/attribution';
import { SHARES } from '../src/analysis/deletion';
import { splitOverUnits } from '../src/analysis/difference';
import { explain, METHODS, type Question } from '../src/analysis/explain';
import {
  ablatedOutput,
  replacementsFor,
  weightedFilters,
  withoutParts,
  withReplacements,
  type Ablation,
} from '../src/analysis/ablations';
import { filterStatistics } from '../src/analysis/filter_statistics';
import { correctByAblation } from '../src/analysis/sample_accuracy';
import { atOnce } from './at_once';
import { randomNumbers } from '../src/analysis/statistics';
import { layerTable } from '../src/engine/architecture';
import { loadEngine, type Engine } from '../src/engine/engine';
import type { Architecture, LayerSpec, Weights } from '../src/engine/types';

let engine: Engine;
beforeAll(async () => {
  const path = new URL('../../src/convscope/report/bundle/engine.wasm', import.meta.url);
  engine = await loadEngine(new Uint8Array(readFileSync(path)));
});

function architecture(channels: number, layers: LayerSpec[]): Architecture {
  return { name: 'test', input: { height: 12, width: 10, channels, scale: 1 / 255, offset: 0 }, layers };
}
const conv = (name: string, filters: number): LayerSpec => ({
  kind: 'Conv2D',
  name,
  filters,
  kernel_size: [3, 3],
  strides: [1, 1],
  padding: 'same',
  activation: 'relu',
  use_bias: true,
});
const pool: LayerSpec = { kind: 'MaxPooling2D', name: 'pool', pool_size: [2, 2], strides: [2, 2], padding: 'valid' };
const dense = (name: string, units: number, activation: 'relu' | 'softmax'): LayerSpec => ({
  kind: 'Dense',
  name,
  units,
  activation,
  use_bias: true,
});
const flatten: LayerSpec = { kind: 'Flatten', name: 'flatten' };
const average: LayerSpec = { kind: 'GlobalAveragePooling2D', name: 'average' };

const NETWORKS: Record<string, Architecture> = {
  'convolutions with a hidden layer': architecture(1, [
    conv('a', 4),
    pool,
    conv('b', 5),
    flatten,
    dense('hidden', 12, 'relu'),
    dense('out', 4, 'softmax'),
  ]),
  'flattened maps into the last layer': architecture(3, [conv('a', 4), pool, flatten, dense('out', 26, 'softmax')]),
  'a residual block and global pooling': architecture(3, [
    conv('a', 4),
    conv('b', 4),
    { kind: 'Add', name: 'sum', from_layer: 'a', activation: 'relu' },
    average,
    dense('out', 3, 'softmax'),
  ]),
  'no dense layer at all': architecture(1, [conv('a', 4), { ...conv('b', 3), activation: 'linear' }, average]),
  'no convolution': architecture(1, [flatten, dense('hidden', 16, 'relu'), dense('out', 2, 'softmax')]),
};

// Draws weights from a seed, uniformly within ±√(6 / inputs), at most ±1.
function seeded(of: Architecture, seed: number): Weights {
  const random = randomNumbers(seed);
  const weights: Weights = {};
  for (const row of layerTable(of)) {
    for (const [name, shape] of Object.entries(row.weightShapes)) {
      const size = shape.reduce((product, n) => product * n, 1);
      const reach = Math.sqrt((6 * (shape.at(-1) ?? 1)) / size);
      weights[name] = Float32Array.from({ length: size }, () => (random() * 2 - 1) * Math.min(1, reach));
    }
  }
  return weights;
}

function picture(of: Architecture, seed: number, count = 1): Uint8Array {
  const { height, width, channels } = of.input;
  const random = randomNumbers(seed);
  // A third of the pixels are background.
  return Uint8Array.from({ length: count * height * width * channels }, () => Math.max(0, random() * 380 - 125));
}

// Asks why the most likely class is predicted and not the second, with these ablations.
function question(of: Architecture, lost: Ablation[] = []): Question {
  const weights = seeded(of, 1);
  const table = layerTable(of);
  const pixels = picture(of, 2);
  const network = engine.network(of, weights);
  const ablation = replacementsFor(table, {}, lost);
  const { logits } = network.forward(pixels, ablation);
  network.free();
  const order = Array.from(logits, (_, k) => k).sort((a, b) => logits[b] - logits[a]);
  const maps = table.filter((row) => row.outputShape.length === 3);
  return {
    architecture: of,
    table,
    weights,
    untrained: seeded(of, 3),
    replacements: ablation,
    pixels,
    background: 0,
    prediction: order[0],
    rival: order[1],
    camLayer: maps.at(-1)?.layer.name ?? null,
  };
}
const make = (of: Architecture, weights: Weights) => engine.network(of, weights);

describe.each(Object.entries(NETWORKS))('%s', (_, of) => {
  test('an explanation has the difference of the logits and every map that the network allows', () => {
    const request = question(of);
    const explanation = atOnce(explain(make, request));
    const network = engine.network(of, request.weights);
    const { logits } = network.forward(request.pixels);
    network.free();
    expect(explanation.difference).toBeCloseTo(logits[request.prediction] - logits[request.rival], 4);
    const pixels = of.input.height * of.input.width;
    for (const method of METHODS) {
      const result = explanation.methods[method];
      if (method === 'cam' && request.camLayer === null) {
        expect(result).toBeNull();
        continue;
      }
      expect(result!.map).toHaveLength(pixels);
      expect(result!.map.every(Number.isFinite)).toBe(true);
      expect(result!.untrained).toHaveLength(pixels);
      // Grad-CAM marks nothing if the maps lower the logit of the prediction everywhere.
      if (result!.map.every((value) => value === 0)) {
        expect(method).toBe('cam');
        expect(result!.curve).toBeNull();
        continue;
      }
      expect(result!.untrained).not.toEqual(result!.map);
      expect(result!.curve!.map((point) => point.share)).toEqual(SHARES);
      expect(result!.curve![0].value).toBeCloseTo(explanation.difference, 4);
    }
    expect(explanation.random![0].low).toBeCloseTo(explanation.random![0].high, 4);
    expect(explanation.ink).toBeLessThanOrEqual(pixels);
  });

  test('with ablations it explains the remaining difference, in which ablated filters have no share', () => {
    const first = weightedFilters(layerTable(of))[0];
    const request = question(of, [{ part: 'filter', layer: first.layer, filter: 1, value: 'zero' }]);
    const explanation = atOnce(explain(make, { ...request, camLayer: request.camLayer && first.layer }));
    const network = engine.network(of, request.weights);
    const { logits } = network.forward(request.pixels, request.replacements);
    network.free();
    expect(explanation.difference).toBeCloseTo(logits[request.prediction] - logits[request.rival], 4);
    if (explanation.maps?.layer !== first.layer) return;
    expect(explanation.maps.terms.find((term) => term.index === 1)?.value).toBeCloseTo(0, 12);
  });

  test('the split over units adds up, with and without ablations', () => {
    const lost: Ablation[] = weightedFilters(layerTable(of)).map(({ layer }) => ({
      part: 'filter',
      layer,
      filter: 1,
      value: 'zero',
    }));
    for (const ablations of [[], lost]) {
      const request = question(of, ablations);
      const network = engine.network(of, request.weights);
      const forward = network.forward(request.pixels, request.replacements);
      network.free();
      const { table, weights, prediction, rival } = request;
      const split = splitOverUnits(table, weights, forward, normalize(request.pixels, of.input), prediction, rival);
      if (table.at(-1)!.layer.kind !== 'Dense') {
        expect(split).toBeNull();
        continue;
      }
      expect(Math.abs(split!.total - (forward.logits[prediction] - forward.logits[rival]))).toBeLessThan(1e-4);
      if (split!.maps) {
        expect(split!.maps.total + split!.bias).toBeCloseTo(split!.total, 6);
        for (const term of split!.maps.terms) {
          expect(term.cells.reduce((sum, cell) => sum + cell, 0)).toBeCloseTo(term.value, 4);
        }
      }
    }
  });

  test('a network with the replacements written into it has the logits of the ablation', () => {
    const table = layerTable(of);
    const lost = weightedFilters(table).flatMap(({ layer }): Ablation[] => [
      { part: 'filter', layer, filter: 0, value: 'mean' },
      { part: 'filter', layer, filter: 2, value: 'zero' },
    ]);
    const means = Object.fromEntries(weightedFilters(table).map(({ layer }) => [layer, Float32Array.of(0.3)]));
    const ablation = replacementsFor(table, means, lost);
    const weights = seeded(of, 1);
    const images = picture(of, 5, 3);
    const whole = engine.network(of, weights);
    const changed = withReplacements(table, of, weights, ablation);
    const gated = engine.network(changed.architecture, changed.weights);
    const expected = whole.ablationLogits(images, [ablation]);
    const logits = gated.logits(images);
    expect(logits).toHaveLength(expected.length);
    for (let i = 0; i < logits.length; i++) expect(logits[i]).toBeCloseTo(expected[i], 4);
    for (const { layer } of lost) expect(ablatedOutput(changed.architecture, layer)).toBe(`${layer}_ablation`);
    whole.free();
    gated.free();
  });

  test('statistics and correct predictions of many images equal those of single images', () => {
    const weights = seeded(of, 1);
    const network = engine.network(of, weights);
    const pixels = picture(of, 7, 9);
    const size = pixels.length / 9;
    const statistics = atOnce(filterStatistics(network.table, network, { pixels, count: 9, numSample: 6 }));
    const labels = Array.from({ length: 9 }, (_, i) => i % network.numClasses);
    const [right] = atOnce(correctByAblation(network, { pixels, labels, numSample: 6 }, [[]]));
    for (let i = 0; i < 6; i++) {
      const { activations, logits } = network.forward(pixels.subarray(i * size, (i + 1) * size));
      expect(right[i]).toBe(Number(logits.indexOf(Math.max(...logits)) === labels[i]));
      for (const [l, row] of network.table.entries()) {
        const { filters, maxima, pixels } = statistics.layers.get(row.layer.name)!;
        for (let k = 0; k < filters; k++) {
          const map = activations[l].filter((_, at) => at % filters === k);
          expect(maxima[i * filters + k]).toBeCloseTo(Math.max(...map), 4);
          expect(map[pixels[i * filters + k]]).toBeCloseTo(Math.max(...map), 4);
        }
      }
    }
    network.free();
  });
});

test('only removed parts change the network', () => {
  const of = NETWORKS['convolutions with a hidden layer'];
  const weights = seeded(of, 1);
  expect(withoutParts(of, weights, []).weights).toBe(weights);
  const changed = withoutParts(of, weights, [
    { part: 'bias', layer: 'a' },
    { part: 'activation', layer: 'b' },
    { part: 'pooling', layer: 'pool' },
  ]);
  expect([...changed.weights['a/bias']]).toEqual([0, 0, 0, 0]);
  expect(weights['a/bias'].some((value) => value !== 0)).toBe(true);
  expect(changed.architecture.layers.map((layer) => [layer.kind, layer.activation])).toEqual([
    ['Conv2D', 'relu'],
    ['AveragePooling2D', undefined],
    ['Conv2D', 'linear'],
    ['Flatten', undefined],
    ['Dense', 'relu'],
    ['Dense', 'softmax'],
  ]);
});
