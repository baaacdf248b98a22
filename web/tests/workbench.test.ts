// The kernel workbench: its map is a plain convolution, and a changed kernel is one of the network.
import { expect, test } from 'vitest';
import { computeMap, kernelOf, withKernel, withWindow } from '../src/analysis/kernel';
import { mapOf } from '../src/analysis/ranges';
import { presetKernel, PRESETS } from '../src/bench/filter/presets';
import { layerTable } from '../src/engine/architecture';
import type { LayerRow } from '../src/engine/types';
import { imagesOf, largestDifference, openEngine, readCases, unpacked, weightsOf, type Case } from './engine/cases';

const TOLERANCE = 1e-5;
const engine = await openEngine();
const cases = await readCases();

// The forward pass of a case's first image, as Python's `reference` engine computed it.
function passOf({ architecture, seed, activations, logits }: Case) {
  const firstOf = (packed: string) => unpacked(packed).subarray(0, unpacked(packed).length / 2);
  const { input } = architecture;
  const pixels = imagesOf(architecture, seed + 100, 1);
  const [table, weights] = [layerTable(architecture), weightsOf(architecture, seed)];
  return { input, table, weights, pixels, activations: activations.map(firstOf), logits: firstOf(logits) };
}
const isConvolution = ({ layer }: LayerRow) => layer.kind.endsWith('Conv2D');
const strided = cases.find(({ architecture }) => architecture.name === 'strided')!;

test('the map of every convolution is that of the reference engine in Python', () => {
  let count = 0;
  for (const expected of cases) {
    const pass = passOf(expected);
    for (const row of pass.table.filter(isConvolution)) {
      const filters = row.outputShape[2];
      for (let filter = 0; filter < filters; filter += 3, count++) {
        const map = mapOf(pass.activations[row.index], filters, filter);
        expect(largestDifference(computeMap(pass, row, filter), map), row.layer.name).toBeLessThan(TOLERANCE);
      }
    }
  }
  expect(count).toBeGreaterThan(40);
});

test('with another stride and padding it is the map of a layer that has these', () => {
  const pass = passOf(strided);
  const [row] = pass.table; // stride 2, padding same
  const plain = withWindow(row, 1, 'valid');
  expect(plain.outputShape).toEqual([9, 7, 5]);
  expect(computeMap(pass, withWindow(plain, 2, 'same'), 4)).toEqual(computeMap(pass, row, 4));
  // Without zeros around, every second row and column of stride 1 are those of stride 2.
  const [all, second] = [computeMap(pass, plain, 1), computeMap(pass, withWindow(row, 2, 'valid'), 1)];
  expect([...second]).toEqual([...all].filter((_, i) => Math.floor(i / 7) % 2 === 0 && (i % 7) % 2 === 0));
  expect(second).toHaveLength(5 * 4);
});

test('a changed kernel changes the map of its filter alone, and the answer, as the engine computes them', () => {
  const pass = passOf(strided);
  const [row] = pass.table;
  const { map, weights: before } = kernelOf(pass.table, pass.weights, row, 3).readings[1];
  const values = presetKernel('sharpen', 3, 3)!;
  const weights = withKernel(pass.table, pass.weights, row, 3, { map, values });
  expect([...kernelOf(pass.table, weights, row, 3).readings[1].weights!]).toEqual(values);
  expect(kernelOf(pass.table, weights, row, 3).readings[0]).toEqual(
    kernelOf(pass.table, pass.weights, row, 3).readings[0],
  );
  const forward = engine.network(strided.architecture, weights).forward(pass.pixels);
  for (let filter = 0; filter < 5; filter++) {
    const computed = mapOf(forward.activations[0], 5, filter);
    expect(largestDifference(computed, computeMap({ ...pass, weights }, row, filter))).toBeLessThan(TOLERANCE);
    const change = largestDifference(computed, mapOf(pass.activations[0], 5, filter));
    if (filter === 3) expect(change).toBeGreaterThan(0.1);
    else expect(change).toBeLessThan(TOLERANCE);
  }
  expect(largestDifference(forward.logits, pass.logits)).toBeGreaterThan(0.01);
  expect(withKernel(pass.table, weights, row, 3, { map, values: before! })).toEqual(pass.weights);
});

test('a depthwise kernel is changed in its own filter', () => {
  const pass = passOf(strided);
  const row = pass.table[1]; // two filters for each of five maps, 3 × 2
  const { map } = kernelOf(pass.table, pass.weights, row, 7).readings[0];
  const weights = withKernel(pass.table, pass.weights, row, 7, { map, values: [1, 2, 3, 4, 5, 6] });
  expect([...kernelOf(pass.table, weights, row, 7).readings[0].weights!]).toEqual([1, 2, 3, 4, 5, 6]);
  expect(kernelOf(pass.table, weights, row, 6)).toEqual(kernelOf(pass.table, pass.weights, row, 6));
});

test('a preset stands in the middle of a larger kernel, and needs 3 × 3 weights', () => {
  expect(presetKernel('identity', 5, 5)!.indexOf(1)).toBe(12);
  expect(presetKernel('outline', 3, 4)!).toEqual([-1, -1, -1, 0, -1, 8, -1, 0, -1, -1, -1, 0]);
  expect(presetKernel('blur', 2, 3)).toBeNull();
  // The sum of the weights is what an even ground becomes: it stays, or it vanishes between edges.
  const sums = PRESETS.map((preset) =>
    presetKernel(preset, 3, 3)!
      .reduce((a, b) => a + b)
      .toFixed(9),
  );
  expect(sums.map(Number)).toEqual([1, 1, 1, 0, 0, 0]);
});
