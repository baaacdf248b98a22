// The instrument that shows one training step: its pictures hold the gradients of the reference engine in Python, and its steps
// end in the same weights.
import { describe, expect, test } from 'vitest';
import { isAgainstGradient, takeOneStep, type OneStep, type StepStart } from '../src/bench/step/one_step';
import { hasPicture, kernelMosaic, mapMosaic, type Mosaic } from '../src/bench/step/pictures';
import { layerTable } from '../src/engine/architecture';
import type { Architecture, LayerRow } from '../src/engine/types';
import {
  digestDifference,
  imagesOf,
  openEngine,
  readCases,
  readSteps,
  relativeDifference,
  unpacked,
  weightsOf,
  type OneImage,
} from './engine/cases';

const engine = await openEngine();
const cases = await readCases();
const { cases: steps, cnn } = await readSteps();
const TOLERANCE = 1e-4;

// Takes two steps. Returns the start of the first, and both.
function stepsOf(architecture: Architecture, seed: number, expected: OneImage<unknown>): [StepStart, OneStep[]] {
  const from: StepStart = {
    architecture,
    weights: weightsOf(architecture, seed),
    optimizerState: null,
    image: imagesOf(architecture, seed + 100, 1),
    label: expected.label,
    optimizer: expected.optimizer,
    clipNorm: expected.clipNorm ?? undefined,
    learningRate: expected.learningRate,
  };
  const first = takeOneStep(engine, from);
  const { weights, optimizer: optimizerState } = first.update.after;
  return [from, [first, takeOneStep(engine, { ...from, weights, optimizerState })]];
}

// Reads the numbers of a layer from its mosaic, in the layer's own order (pixels, maps).
function mapsOf({ values, columns }: Mosaic, { outputShape }: LayerRow): Float32Array {
  const [height, width, maps] = outputShape.length === 3 ? outputShape : [1, 1, outputShape[0]];
  const across = (columns + 1) / (width + 1);
  return Float32Array.from({ length: height * width * maps }, (_, i) => {
    const [position, map] = [Math.floor(i / maps), i % maps];
    const row = Math.floor(map / across) * (height + 1) + Math.floor(position / width);
    return values[row * columns + (map % across) * (width + 1) + (position % width)];
  });
}

// Compares the gradients, the weights after each step and the losses with those of the reference.
function checkSteps<Numbers>(
  [from, taken]: [StepStart, OneStep[]],
  expected: OneImage<Numbers>,
  difference: (values: ArrayLike<number>, numbers: Numbers) => number,
): void {
  expect(taken[0].back.loss / expected.loss).toBeCloseTo(1, 4);
  const table = layerTable(from.architecture);
  for (const row of table.filter(hasPicture)) {
    const name = row.layer.name;
    const shown = mapsOf(mapMosaic(taken[0].back.layers[name], row.outputShape), row);
    expect(difference(shown, expected.layers[name]), name).toBeLessThan(TOLERANCE);
  }
  for (const [name, numbers] of Object.entries(expected.weights)) {
    expect(difference(taken[0].update.gradients[name], numbers), name).toBeLessThan(TOLERANCE);
    expect(taken[0].update.gradients[name]).toEqual(taken[0].back.weights[name]); // what is shown is what is taken
  }
  expected.steps.forEach((step, i) => {
    const { update, after } = taken[i];
    expect(update.gradientNorm / step.norm).toBeCloseTo(1, 4);
    for (const [name, numbers] of Object.entries(step.weights)) {
      expect(difference(update.after.weights[name], numbers), `${name}, step ${i + 1}`).toBeLessThan(TOLERANCE);
    }
    expect(relativeDifference(update.after.logits, unpacked(step.logits))).toBeLessThan(TOLERANCE);
    expect(after.loss / step.loss).toBeCloseTo(1, 3);
    expect(update.after.optimizer.steps).toBe(i + 1);
  });
}

describe.each(steps)('$name', ({ name, oneImage }) => {
  const { architecture, seed } = cases.find((candidate) => candidate.architecture.name === name)!;
  test('shows the gradients of the reference and takes its steps, with moving statistics left alone', () => {
    const [from, taken] = stepsOf(architecture, seed, oneImage);
    checkSteps([from, taken], oneImage, (values, numbers) => relativeDifference(values, unpacked(numbers)));
    for (const moving of Object.keys(from.weights).filter((name) => name.includes('moving'))) {
      expect(taken[1].update.after.weights[moving]).toEqual(from.weights[moving]);
    }
  });
});

test('the preset cnn shows the gradients of the reference and takes its steps', () => {
  checkSteps(stepsOf(cnn.architecture, cnn.seed, cnn.oneImage), cnn.oneImage, digestDifference);
});

test('plain gradient descent moves each weight against its gradient, and weight decay may not', () => {
  const [from] = stepsOf(cnn.architecture, cnn.seed, cnn.oneImage);
  const plain = takeOneStep(engine, { ...from, optimizer: { kind: 'SGD' }, clipNorm: undefined, learningRate: 0.1 });
  expect(isAgainstGradient(plain)).toBe(true);
  for (const [name, change] of Object.entries(plain.change)) {
    change.forEach((move, i) => expect(Math.abs(move + 0.1 * plain.update.gradients[name][i])).toBeLessThan(1e-6));
  }
  expect(plain.after.loss).toBeLessThan(plain.back.loss);
  const decayed = takeOneStep(engine, { ...from, optimizer: { kind: 'SGD', weight_decay: 1 }, learningRate: 0.1 });
  expect(isAgainstGradient(decayed)).toBe(false);
});

test('pictures of kernels have a column for each filter and a row for each map or weight', () => {
  const { architecture, seed } = cases.find((candidate) => candidate.architecture.name === 'residual')!;
  const [table, weights] = [layerTable(architecture), weightsOf(architecture, seed)];
  const convolution = kernelMosaic(table, weights, table[2]); // 3 × 3, of 4 maps, 4 filters
  expect([convolution.rows, convolution.columns, convolution.tiles]).toEqual([15, 15, 4]);
  const at = (row: number, column: number) => convolution.values[row * 15 + column];
  const kernel = weights[`${table[2].layer.name}/kernel`];
  expect(at(1, 2)).toBe(kernel[(1 * 3 + 2) * 16]); // filter 0, map 0, row 1, column 2
  expect(at(4 + 2, 8)).toBe(kernel[2 * 3 * 16 + 1 * 4 + 2]); // filter 2, map 1, row 2, column 0
  expect(at(3, 3)).toBeNaN();
  const normalisation = kernelMosaic(table, weights, table[1]);
  expect([normalisation.rows, normalisation.columns]).toEqual([7, 7]);
  expect(normalisation.values[2 * 7 + 2]).toBe(weights[`${table[1].layer.name}/beta`][1]);
  const flat = kernelMosaic(table, weights, table.at(-1)!);
  expect(flat.limit).toBeGreaterThan(0);
});
