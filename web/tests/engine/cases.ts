// What fixtures/make_fixtures.py wrote, with the weights and images that both sides draw.
import { readFile } from 'node:fs/promises';
import { layerTable } from '../../src/engine/architecture';
import { loadEngine, type Engine } from '../../src/engine/engine';
import { product } from '../../src/engine/layers';
import type { Architecture, Augmentation, LayerRow, Optimizer, Replacement, Weights } from '../../src/engine/types';

// A training of a few steps in Python, and the weights after it. Arrays are float32 in base64, see `unpacked`.
interface Trained {
  optimizer: Optimizer;
  augmentation: { shift: number };
  batchSize: number;
  order: number[];
  learningRates: number[];
  labelSmoothing: number;
  key: number;
  loss: number;
  accuracy: number;
  weights: Record<string, string>;
}

export interface Case {
  seed: number;
  architecture: Architecture;
  table: Omit<LayerRow, 'index' | 'layer'>[];
  logits: string;
  activations: string[];
  gradients: Record<string, string>;
  ablations: Replacement[][];
  ablationLogits: string;
  trained: Trained | null;
}

// All gradients of one image, and two steps by them.
export interface OneImage<Numbers> {
  label: number;
  loss: number;
  logits: string;
  dlogits: string;
  layers: Record<string, Numbers>;
  weights: Record<string, Numbers>;
  optimizer: Optimizer;
  clipNorm: number | null;
  learningRate: number;
  steps: { norm: number; weights: Record<string, Numbers>; logits: string; loss: number }[];
}

// What many numbers are compared by.
export interface Digest {
  size: number;
  norm: number;
  product: number; // with drawn numbers
  largest: number;
  entries: number[]; // evenly spaced
}

interface StepCase {
  name: string; // of the architecture in `readCases`
  gradients: {
    order: number[];
    labelSmoothing: number;
    classWeights: number[];
    loss: number;
    weights: Record<string, string>;
  };
  oneImage: OneImage<string>;
  updates: {
    optimizer: Optimizer;
    clipNorm: number | null;
    loss: number;
    norm: number;
    gradients: Record<string, string>;
    weights: Record<string, string>;
    m: Record<string, string>;
    v: Record<string, string>;
    logitsBefore: string;
    logitsAfter: string;
  }[];
}

// What fixtures/make_step_fixtures.py wrote.
export interface Steps {
  orders: number[][];
  learningRates: number[];
  labelSmoothing: number;
  key: number;
  cases: StepCase[];
  cnn: { architecture: Architecture; seed: number; oneImage: OneImage<Digest> };
  augmented: {
    shape: number[];
    augmentation: Augmentation;
    key: number;
    first: number;
    image: number[];
    copies: number[];
  }[];
  model: { description: Record<string, unknown>; images: number[][][][]; logits: number[][] };
}

export async function readSteps(): Promise<Steps> {
  const file = new URL('../fixtures/steps.json', import.meta.url);
  return JSON.parse(await readFile(file, 'utf8')) as Steps;
}

export async function readCases(): Promise<Case[]> {
  const file = new URL('../fixtures/engine.json', import.meta.url);
  return JSON.parse(await readFile(file, 'utf8')) as Case[];
}

export async function openEngine(): Promise<Engine> {
  const file = new URL('../../../src/convscope/report/bundle/engine.wasm', import.meta.url);
  return loadEngine(new Uint8Array(await readFile(file)));
}

export function unpacked(text: string): Float32Array {
  return new Float32Array(Uint8Array.from(Buffer.from(text, 'base64')).buffer);
}

// Draws 32-bit numbers by a linear congruential generator, as the fixtures do. Source: Press and others 1992, section 7.1.
function drawBits(seed: number, count: number): Uint32Array {
  let state = seed;
  return Uint32Array.from({ length: count }, () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0));
}

export function uniform(seed: number, count: number, low: number, high: number): Float32Array {
  return Float32Array.from(drawBits(seed, count), (bits) => low + (high - low) * (bits / 2 ** 32));
}

export function weightsOf(architecture: Architecture, seed: number): Weights {
  const shapes = layerTable(architecture).flatMap((row) => Object.entries(row.weightShapes));
  const weights = shapes.map(([name, shape], number) => {
    const fans = product(shape.slice(0, -2)) * (shape.at(-2)! + shape.at(-1)!);
    const limit = name.endsWith('kernel') ? Math.sqrt(6 / fans) : 0.25;
    const [low, high] = /(gamma|variance)$/.test(name) ? [0.5, 1.5] : [-limit, limit];
    return [name, uniform(seed + number, product(shape), low, high)];
  });
  return Object.fromEntries(weights) as Weights;
}

export function imagesOf({ input }: Architecture, seed: number, count: number): Uint8Array {
  return Uint8Array.from(drawBits(seed, count * input.height * input.width * input.channels), (bits) => bits >>> 24);
}

export function largestDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Infinity;
  let largest = 0;
  for (let i = 0; i < actual.length; i++) {
    const difference = Math.abs(actual[i] - expected[i]);
    if (!(difference <= largest)) largest = difference; // NaN too
  }
  return largest;
}

// Computes the largest difference as a share of the largest expected number.
export function relativeDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  const difference = largestDifference(actual, expected);
  const size = Array.from(expected).reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  return size === 0 ? difference : difference / size;
}

const DIGEST_SEED = 77; // as in fixtures/make_step_fixtures.py

// Computes the largest of three relative differences of an array from its digest: of its norm, of its product with random
// numbers, and of some of its entries.
export function digestDifference(values: ArrayLike<number>, digest: Digest): number {
  if (values.length !== digest.size) return Infinity;
  const drawn = uniform(DIGEST_SEED, values.length, -1, 1);
  let [squares, product] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    squares += values[i] ** 2;
    product += values[i] * drawn[i];
  }
  const entries = digest.entries.map((_, i) => values[Math.floor((i * values.length) / digest.entries.length)]);
  const differences = [
    Math.abs(Math.sqrt(squares) - digest.norm) / digest.norm,
    Math.abs(product - digest.product) / digest.norm,
    largestDifference(entries, digest.entries) / digest.largest,
  ];
  return differences.some(Number.isNaN) ? Infinity : Math.max(...differences);
}
