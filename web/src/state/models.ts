// Unpacks the models, snapshots and embedded images of the payload.
import { SvelteMap } from 'svelte/reactivity';
import { layerTable } from '../engine/architecture';
import type { Checkpoint, Architecture, LayerRow, Weights } from '../engine/types';
import type { LiveImages, LiveModel, Payload } from '../payload/types';
import { unpack, unpackBytes, unpackFloats, unpackWeights } from '../payload/unpack';

// True if all snapshots are there; they are unpacked after the page has opened.
export const isUnpacked = ({ snapshots, checkpoints }: LoadedModel) => snapshots.size === checkpoints.length;

export interface LoadedModel {
  name: string;
  architecture: Architecture;
  table: LayerRow[];
  weights: Weights; // the trained weights
  means: Record<string, Float32Array>; // by layer: mean output of each filter over the test images
  rounding?: LiveModel['rounding']; // of weights that are too large for a page
  checkpoints: Checkpoint[]; // in order; that of epoch 0 is the untrained network
  snapshots: Map<number, Weights>; // by the checkpoint's epoch, rounded to 6 bits; unpacked after the page has opened
}

export interface Images {
  split: string;
  shape: [number, number, number];
  count: number;
  numSample: number; // the first numSample images are the first of the split, a fair sample; mistakes follow
  numMistakes: number; // number of images of the whole split that the first model misclassifies
  indices: ArrayLike<number>; // each image's index in the split
  labels: ArrayLike<number>;
  pixels: Uint8Array;
  image(i: number): Uint8Array; // a view of `pixels`
  find(index: number): number; // the position of an image by its index in the split; -1 if not embedded
}

async function loadModel(model: LiveModel): Promise<LoadedModel> {
  const layers = Object.keys(model.means);
  const [weights, ...means] = await Promise.all([
    unpackWeights(model.weights),
    ...layers.map((layer) => unpackFloats(model.means[layer])),
  ]);
  return {
    name: model.name,
    architecture: model.architecture,
    table: layerTable(model.architecture),
    weights,
    means: Object.fromEntries(layers.map((layer, i) => [layer, means[i]])),
    rounding: model.rounding,
    checkpoints: model.snapshots.map(({ weights: _, ...checkpoint }) => checkpoint),
    snapshots: new SvelteMap(), // reactive, since views wait for the snapshots
  };
}

async function loadImages(images: LiveImages): Promise<Images> {
  const [pixels, indices, labels] = await Promise.all([
    unpackBytes(images.pixels),
    unpack(images.indices),
    unpack(images.labels),
  ]);
  const [count, height, width, channels] = images.pixels.shape;
  const size = height * width * channels;
  const positions = new Map(Array.from(indices, (index, i) => [index, i]));
  return {
    split: images.split,
    shape: [height, width, channels],
    count,
    numSample: images.num_sample,
    numMistakes: images.num_mistakes,
    indices,
    labels,
    pixels,
    image: (i) => pixels.subarray(i * size, (i + 1) * size),
    find: (index) => positions.get(index) ?? -1,
  };
}

// Unpacks everything but the snapshots.
export async function load(payload: Payload): Promise<{ models: LoadedModel[]; images: Images }> {
  const [images, ...models] = await Promise.all([
    loadImages(payload.live.images),
    ...payload.live.models.map(loadModel),
  ]);
  return { models, images };
}

// Unpacks the snapshots. The page is usable before.
export async function loadSnapshots(payload: Payload, models: LoadedModel[]): Promise<void> {
  for (const [m, model] of payload.live.models.entries()) {
    for (const snapshot of model.snapshots) {
      models[m].snapshots.set(snapshot.epoch, await unpackWeights(snapshot.weights));
    }
  }
}
