// Networks as data, with the names of the Python package and of files.
import type { Activation } from './activations';

export type Shape = number[]; // (H, W, C) for maps, (units,) for vectors

export interface Input {
  height: number;
  width: number;
  channels: number;
  scale: number; // the network reads byte * scale + offset
  offset: number;
}

export type Padding = 'valid' | 'same';
export type PaddingFrame = [[number, number], [number, number]]; // rows (above, below), columns (left, right)

// A layer as `Architecture.to_dict()` writes it: `kind`, `name`, and the arguments of that kind.
export interface LayerSpec {
  kind: string;
  name: string;
  filters?: number;
  units?: number;
  kernel_size?: [number, number];
  strides?: [number, number];
  pool_size?: [number, number];
  padding?: Padding | PaddingFrame; // a PaddingFrame only for ZeroPadding2D
  dilation_rate?: [number, number];
  groups?: number;
  activation?: Activation;
  negative_slope?: number;
  use_bias?: boolean;
  depth_multiplier?: number;
  rate?: number; // of a Dropout
  members?: number; // of a SoftVoting: the number of networks whose logits it averages
  momentum?: number;
  epsilon?: number;
  from_layer?: string; // "input" is the image
}

export interface Architecture {
  name: string;
  input: Input;
  layers: LayerSpec[];
}

export interface Window {
  size: [number, number];
  dilation: [number, number]; // distance between neighbouring rows and columns of the window
  reach: [number, number]; // rows and columns of the map from the first to the last pixel of the window
  strides: [number, number];
  padding: [number, number]; // zero rows above and zero columns left of the map
}

// Output i reads the input pixels from start + i * jump to start + i * jump + size - 1; they may lie outside the image.
export interface ReceptiveField {
  size: [number, number];
  jump: [number, number];
  start: [number, number];
}

export interface LayerRow {
  index: number;
  layer: LayerSpec;
  inputShape: Shape; // a Branch or Multiply has the earlier layer's output shape, a Concatenate the shape of both joined
  outputShape: Shape;
  weightShapes: Record<string, Shape>; // by full name, "conv2d/kernel"
  window: Window | null; // global pooling: the whole map; zero padding: a single pixel; null for layers without windows
  receptiveField: ReceptiveField; // in the image
  parameters: number; // number of trained weights
  macs: number; // multiply-adds for one image
}

export type Weights = Record<string, Float32Array>; // by full name, in Keras layout

// Sets a filter's whole output (a channel of a map, a number of a vector) to `value`.
export interface Replacement {
  layer: string;
  filter: number;
  value: number;
}

// The kind of an optimizer and its arguments, as in a recipe.
export interface Optimizer {
  kind: string;
  [argument: string]: number | boolean | string;
}

// A recipe as a run's record writes it.
export interface WrittenRecipe {
  name: string;
  epochs: number;
  batch_size: number;
  optimizer: Record<string, number | string | boolean>;
  schedule: Record<string, number | string>;
  label_smoothing: number;
  augmentation: Record<string, number | boolean>;
  [key: string]: unknown;
}

// The strengths of random changes of an image, with the names and units of src/convscope/recipes/augmentation.py.
export interface Augmentation {
  shift?: number;
  rotation?: number;
  scale?: number;
  stretch?: number;
  shear?: number;
  crop?: number;
  elastic?: number;
  elastic_sigma?: number;
  horizontal_flip?: boolean;
  cutout?: number;
  contrast?: number;
  brightness?: number;
  noise?: number;
}

// Images in the order of training, and the settings of their loss.
export interface Batch {
  order: Int32Array; // indices into the data
  labelSmoothing?: number;
  classWeights?: ArrayLike<number>; // by class: factors of the loss, 1 by default
  augmentation?: Augmentation;
  key?: number; // an epoch's random key; with an image's position it determines augmentation and dropout
  first?: number; // the position of the first image of `order` in the epoch
}

// Training steps, one for each batch of `order`, each with its learning rate.
export interface TrainingSteps extends Batch {
  batchSize: number;
  learningRates: Float32Array;
  optimizer: Optimizer;
  clipNorm?: number; // the gradient of all weights is scaled down to at most this Euclidean norm
}

export interface TrainingScore {
  images: number;
  loss: number; // mean over the images, each just before its step
  accuracy: number;
}

export interface Gradients extends TrainingScore {
  weights: Weights; // the gradient of the mean loss with respect to each trained weight
}

// The state of an optimizer. Adam: the moving averages of the gradient (m) and of its square (v). SGD: the velocity (m).
export interface OptimizerState {
  steps: number; // steps taken so far
  m: Weights; // m and v have the names of the trained weights
  v: Weights;
}

// A point of a training whose weights are kept.
export interface Checkpoint {
  epoch: number; // trained epochs, such as 30 / 469 within the first
  step: number | null; // null if the training did not count its steps
  loss: number | null; // like `accuracy` of `num_images` images; null without any
  accuracy: number | null;
  num_images: number;
}
