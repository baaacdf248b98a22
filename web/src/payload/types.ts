// What the page is given: the document that `convscope report RUN --payload` prints.
import type { Architecture } from '../engine/types';
import type { Handwriting } from '../handwriting/recipe';

export interface Block {
  dtype: 'float32' | 'uint8' | 'uint16' | 'int8' | 'uint4'; // uint4: two numbers a byte, each to be multiplied by 17
  shape: number[];
  data: string; // little-endian, deflated, base64
  scales?: number[]; // of int8: one for each index of the last axis
}

export interface Snapshot {
  epoch: number;
  weights: Record<string, Block>;
}

export interface LiveModel {
  name: string;
  architecture: Architecture;
  weights: Record<string, Block>;
  means: Record<string, Block>; // by layer: mean output by filter over the test images (maps: over all places too)
  snapshots: Snapshot[]; // epoch 0 first; may be fewer than epochs were trained, or none
}

export interface LiveImages {
  split: string;
  indices: Block; // place in the split
  labels: Block;
  pixels: Block; // (N, H, W, C) uint8
  num_sample: number; // the first so many are the first of the split; mistakes follow
  num_mistakes: number; // of the first model in the whole split
}

export interface LiveMap {
  method: 'pca' | 'tsne' | 'umap';
  layer: string; // whose numbers an image is put into the map by
  num_neighbours: number;
  indices: Block; // of its images, place in the split
  labels: Block;
  points: Block; // (N, 2), or (N, 3) of which the first two are shown
  directions: Block | null; // (D, 2) of pca: a point is the image's D numbers times these, minus the offset
  offset: number[];
}

export interface Live {
  models: LiveModel[];
  images: LiveImages;
  parity: { logits: Block };
  training: { labels: Block; pixels: Block; of: number };
  handwriting: Handwriting;
  map?: LiveMap; // of test images, if it was measured
}

export interface History {
  loss: number[];
  accuracy: number[];
  val_loss: number[];
  val_accuracy: number[];
  seconds: number[];
  val_split: string;
  best_epoch: number | null;
}

export interface Evaluation {
  split: string;
  num_images: number;
  num_mistakes: number;
  accuracy?: number; // none where nothing was measured
  accuracy_interval: [number, number];
  loss: number;
  class_names: string[];
  confusion_matrix: number[][]; // rows are the truth
  [other: string]: unknown;
}

export interface Recipe {
  name: string;
  epochs: number;
  batch_size: number;
  optimizer: Record<string, number | string | boolean>;
  schedule: Record<string, number | string>;
  label_smoothing: number;
  augmentation: Record<string, number | boolean>;
  [other: string]: unknown;
}

// Of a page that was saved by another page: which network is on it.
export interface Made {
  from: 'classes' | 'data'; // trained on examples of the reader's own classes, or on the data set of the other page
  epoch: number; // how many were trained
}

export interface Payload {
  format: number;
  record: Record<string, unknown>;
  recipe: Recipe;
  data: { name: string; train: SplitCard; test: SplitCard; [other: string]: unknown };
  model: {
    architecture: Architecture;
    parameters: number;
    macs: number;
    weights_sha256?: string; // a page that was saved by another page has none
    [other: string]: unknown;
  };
  history: History;
  baseline_history: History | null;
  evaluation: Evaluation;
  comparison: Record<string, unknown> | null;
  live: Live;
  untrained?: boolean; // the page of no run: nothing was trained or measured
  made?: Made;
  [other: string]: unknown;
}

export interface SplitCard {
  num_images: number;
  image_shape: [number, number, number];
  class_names: string[];
  [other: string]: unknown;
}
