// Networks as data, with the names of the Python package and of files.
import type { Activation } from './activations';

export type Shape = number[]; // (H, W, C) for maps, (units,) for vectors

export interface Input {
  height: number;
  width: number;
  channels: number;
  scale: number; // what the network reads is byte * scale + offset
  offset: number;
}

export type Padding = 'valid' | 'same';
export type Frame = [[number, number], [number, number]]; // rows (above, below), columns (left, right)

// A layer as `Architecture.to_dict()` writes it: `kind`, `name`, and the arguments of that kind.
export interface LayerSpec {
  kind: string;
  name: string;
  filters?: number;
  units?: number;
  kernel_size?: [number, number];
  strides?: [number, number];
  pool_size?: [number, number];
  padding?: Padding | Frame; // a Frame only for ZeroPadding2D
  dilation_rate?: [number, number];
  groups?: number;
  activation?: Activation;
  negative_slope?: number;
  use_bias?: boolean;
  depth_multiplier?: number;
  rate?: number;
  members?: number;
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
  dilation: [number, number]; // from one row or column to the next
  reach: [number, number]; // rows and columns from the first to the last pixel
  strides: [number, number];
  padding: [number, number]; // rows and columns before the first
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
  inputShape: Shape; // of a Branch: of the earlier layer; of a Concatenate: of both together
  outputShape: Shape;
  weightShapes: Record<string, Shape>; // by full name, "conv2d/kernel"
  window: Window | null; // of a global pooling the whole map, of a zero padding one pixel; null for layers without windows
  receptiveField: ReceptiveField;
  parameters: number;
  macs: number;
}

export type Weights = Record<string, Float32Array>; // by full name, in Keras layout

// Sets a filter of a layer's output (a channel of a map, a number of a vector) to `value` everywhere.
export interface Replacement {
  layer: string;
  filter: number;
  value: number;
}

// The kind and its arguments, as in a recipe.
export interface Optimizer {
  kind: string;
  [argument: string]: number | boolean | string;
}

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
  key?: number; // of the epoch; with an image's position it determines augmentation and dropout
  first?: number; // position in the epoch of the first image of `order`
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
  weights: Weights; // the gradient of the mean loss by each trained weight
}

// The state of an optimizer. Adam: the moving averages of the gradient (m) and of its square (v). SGD: the velocity (m).
export interface OptimizerState {
  steps: number; // taken so far
  m: Weights; // by the names of the trained weights, as are v
  v: Weights;
}
