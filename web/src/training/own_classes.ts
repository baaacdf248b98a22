// Prepares the training of a network for the reader's own classes: held-out examples, architecture, first weights and recipe.
import { layerTable } from '../engine/architecture';
import { initialWeights } from '../engine/initialization';
import { product } from '../engine/layers';
import type { Architecture, Shape, Weights } from '../engine/types';
import { TextError } from '../text/error';
import { lastWeightedIndex } from './edit_architecture';
import { augmentations } from './experiments';
import type { Labelled } from './score';
import type { Recipe } from './recipe';

export const MIN_CLASSES = 2;
export const MAX_CLASSES = 26;
export const MAX_EXAMPLES = 200; // examples of a class
export const HELD_OUT_EVERY = 5; // every fifth example of a class is held out, if every class has five

export interface OwnClass {
  id: number; // stays when the name changes
  name: string;
  examples: readonly Uint8Array[]; // each (H, W, C), in the order in which they were added
}

// The first weights: random, or those of a trained network except its last layer.
export type Start = 'scratch' | 'filters';

export interface Split {
  train: Labelled;
  heldOut: Labelled; // empty if a class has too few examples
}

// True if example `index` of a class is held out. Later examples do not change it.
export const isHeldOut = (index: number) => index % HELD_OUT_EVERY === HELD_OUT_EVERY - 1;

// Splits the examples into training images and held-out images.
export function splitExamples(classes: readonly OwnClass[]): Split {
  const hasHeldOut = classes.every(({ examples }) => examples.length >= HELD_OUT_EVERY);
  const labelled = (isForHeldOut: boolean): Labelled => {
    const chosen = classes.flatMap(({ examples }, label) =>
      examples.filter((_, i) => (hasHeldOut && isHeldOut(i)) === isForHeldOut).map((image) => ({ image, label })),
    );
    const size = chosen[0]?.image.length ?? 0;
    const images = new Uint8Array(chosen.length * size);
    chosen.forEach(({ image }, i) => images.set(image, i * size));
    return { images, labels: Uint8Array.from(chosen, ({ label }) => label) };
  };
  return { train: labelled(false), heldOut: labelled(true) };
}

// Changes the last layer with filters or units so that the network has `classes` classes.
export function withClasses(architecture: Architecture, classes: number): Architecture {
  const last = lastWeightedIndex(architecture);
  const layers = architecture.layers.map((layer, i) => {
    if (i !== last) return layer;
    return layer.filters === undefined ? { ...layer, units: classes } : { ...layer, filters: classes };
  });
  const changed = { ...architecture, layers };
  const outputs = layerTable(changed).at(-1)!.outputShape[0];
  if (outputs !== classes) {
    throw new TextError('symbols.otherClasses', { name: architecture.name, found: outputs, n: classes });
  }
  return changed;
}

// Makes the first weights: random ones, or those of the trained network up to its last layer, which has other classes.
export function startWeights(
  architecture: Architecture,
  seed: number,
  trained: { architecture: Architecture; weights: Weights } | null,
): Weights {
  const weights = initialWeights(architecture, seed);
  if (trained === null) return weights;
  for (const row of layerTable(architecture).slice(0, lastWeightedIndex(architecture))) {
    for (const [name, shape] of Object.entries(row.weightShapes)) {
      if (trained.weights[name]?.length === product(shape)) weights[name] = trained.weights[name].slice();
    }
  }
  return weights;
}

const [MIN_EPOCHS, MAX_EPOCHS] = [8, 60];
const TARGET_IMAGES = 3000; // images to train on over all epochs, where the number of epochs stays within its limits

// Makes the recipe: many epochs over few images, augmented by small shifts, rotations, scalings and shears.
export function recipeFor(shape: Shape, images: number): Recipe {
  return {
    name: 'few examples',
    epochs: Math.max(MIN_EPOCHS, Math.min(MAX_EPOCHS, Math.round(TARGET_IMAGES / Math.max(images, 1)))),
    batchSize: 8,
    learningRate: 0.002,
    optimizer: { kind: 'Adam', beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 },
    schedule: { kind: 'linear', warmup: 0.1 },
    labelSmoothing: 0,
    augmentation: augmentations(shape).all,
  };
}
