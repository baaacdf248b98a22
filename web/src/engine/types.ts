// Networks as data, under the names that Python and the files use.
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
  padding?: Padding | Frame; // a frame of zero padding alone
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
  dilation: [number, number]; // from one of its rows or columns to the next
  reach: [number, number]; // from its first row or column to its last
  strides: [number, number];
  padding: [number, number]; // zeros, or pixels that do not exist, before the first row and column
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
  inputShape: Shape; // of a Branch that of the earlier layer, of a Concatenate that of both together
  outputShape: Shape;
  weightShapes: Record<string, Shape>; // by full name, "conv2d/kernel"
  window: Window | null; // how an output reads the map before; a global pooling's is the whole map, a zero padding's one place; null for the others
  receptiveField: ReceptiveField;
  parameters: number;
  macs: number;
}

export type Weights = Record<string, Float32Array>; // by full name, in Keras layout

// Filter `filter` of a layer's output (a channel of a map, a number of a vector) gives `value` everywhere.
export interface Replacement {
  layer: string;
  filter: number;
  value: number;
}

// As in a recipe's file: the kind and its own arguments.
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

// Images in the order in which they are trained on, and how the loss is taken of them.
export interface Batch {
  order: Int32Array; // indices into the data
  labelSmoothing?: number;
  classWeights?: ArrayLike<number>; // by class, what the loss of its images is multiplied by; one each if left out
  augmentation?: Augmentation;
  key?: number; // of the epoch's random numbers: augmentation and dropout follow from it and an image's place
  first?: number; // the place in the epoch of the first image of `order`
}

// Some steps of training, one a batch: `learningRates` has one number for each batch of `order`.
export interface TrainingSteps extends Batch {
  batchSize: number;
  learningRates: Float32Array;
  optimizer: Optimizer;
  clipNorm?: number; // a longer gradient, of all weights together, is shortened to this Euclidean norm
}

export interface TrainingScore {
  images: number;
  loss: number; // mean over the images, as they were seen
  accuracy: number;
}

export interface Gradients extends TrainingScore {
  weights: Weights; // the gradient of the mean loss by each trained weight
}

// What an optimizer remembers. Adam: the moving averages of the gradient (m) and of its square (v). SGD: the velocity (m).
export interface OptimizerState {
  steps: number; // taken so far
  m: Weights; // by the names of the trained weights, as are v
  v: Weights;
}
