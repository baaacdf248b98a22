// A network for classes of the reader's own, from a few examples each: which of them are held out, which architecture has
// so many classes, which weights it starts from and how it is trained.
import { layerTable } from '../engine/architecture';
import { initialWeights } from '../engine/initialization';
import { product } from '../engine/layers';
import type { Architecture, Shape, Weights } from '../engine/types';
import { TextError } from '../text/error';
import { augmentations } from './experiments';
import type { Labelled } from './score';
import type { Recipe } from './recipe';

export const MIN_CLASSES = 2;
export const MAX_CLASSES = 26;
export const MAX_EXAMPLES = 200; // of a class
export const HELD_OUT = 5; // one of so many examples of a class is held out, if every class has as many

export interface OwnClass {
  id: number; // stays when the name changes
  name: string;
  examples: readonly Uint8Array[]; // each (H, W, C), in the order in which they came
}

// The start of training: random weights, or those of a trained network without its last layer.
export type Start = 'scratch' | 'filters';

export interface Parts {
  train: Labelled;
  heldOut: Labelled; // empty where some class has too few examples
}

// Whether example `index` of a class is held out. Later examples do not change it.
export const isHeldOut = (index: number) => index % HELD_OUT === HELD_OUT - 1;

export function partsOf(classes: readonly OwnClass[]): Parts {
  const holds = classes.every(({ examples }) => examples.length >= HELD_OUT);
  const labelled = (heldOut: boolean): Labelled => {
    const chosen = classes.flatMap(({ examples }, label) =>
      examples.filter((_, i) => (holds && isHeldOut(i)) === heldOut).map((image) => ({ image, label })),
    );
    const size = chosen[0]?.image.length ?? 0;
    const images = new Uint8Array(chosen.length * size);
    chosen.forEach(({ image }, i) => images.set(image, i * size));
    return { images, labels: Uint8Array.from(chosen, ({ label }) => label) };
  };
  return { train: labelled(false), heldOut: labelled(true) };
}

// The same layers with as many filters or units in the last of them as there are classes.
export function withClasses(architecture: Architecture, classes: number): Architecture {
  const last = lastWidth(architecture);
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

const lastWidth = ({ layers }: Architecture) =>
  layers.findLastIndex((layer) => layer.filters !== undefined || layer.units !== undefined);

// What training of `architecture` starts from. Of a trained network all weights are taken that lie before the last layer
// with weights to choose, which has other classes.
export function startWeights(
  architecture: Architecture,
  seed: number,
  trained: { architecture: Architecture; weights: Weights } | null,
): Weights {
  const weights = initialWeights(architecture, seed);
  if (trained === null) return weights;
  for (const row of layerTable(architecture).slice(0, lastWidth(architecture))) {
    for (const [name, shape] of Object.entries(row.weightShapes)) {
      if (trained.weights[name]?.length === product(shape)) weights[name] = trained.weights[name].slice();
    }
  }
  return weights;
}

const PASSES = 3000; // images that are seen in training, if there are few
const [MIN_EPOCHS, MAX_EPOCHS] = [8, 60];

// Many epochs over few images, augmented by small shifts, rotations, scalings and shears.
export function recipeFor(shape: Shape, images: number): Recipe {
  return {
    name: 'few examples',
    epochs: Math.max(MIN_EPOCHS, Math.min(MAX_EPOCHS, Math.round(PASSES / Math.max(images, 1)))),
    batchSize: 8,
    learningRate: 0.002,
    optimizer: { kind: 'Adam', beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 },
    schedule: { kind: 'linear', warmup: 0.1 },
    labelSmoothing: 0,
    augmentation: augmentations(shape).all,
  };
}
