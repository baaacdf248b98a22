// Networks as data, under the names that Python and the files use.

export type Shape = number[]; // (H, W, C) for maps, (units,) for vectors

export interface Input {
  height: number;
  width: number;
  channels: number;
  scale: number; // what the network reads is byte * scale + offset
  offset: number;
}

export type Activation = 'linear' | 'relu' | 'leaky_relu' | 'gelu' | 'tanh' | 'sigmoid' | 'softmax';
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
  activation?: Activation;
  negative_slope?: number;
  use_bias?: boolean;
  depth_multiplier?: number;
  rate?: number;
  momentum?: number;
  epsilon?: number;
  from_layer?: string;
}

export interface Architecture {
  name: string;
  input: Input;
  layers: LayerSpec[];
}

export interface Window {
  size: [number, number];
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
  inputShape: Shape;
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
  shear?: number;
  crop?: number;
  elastic?: number;
  elastic_sigma?: number;
  cutout?: number;
  contrast?: number;
  brightness?: number;
  noise?: number;
}

// Some steps of training, one a batch: `order` lists images, `learningRates` has one number for each batch of it.
export interface TrainingSteps {
  order: Int32Array;
  batchSize: number;
  learningRates: Float32Array;
  optimizer: Optimizer;
  labelSmoothing?: number;
  clipNorm?: number;
  augmentation?: Augmentation;
  key?: number; // of the epoch's random numbers: augmentation and dropout follow from it and an image's place
  first?: number; // the place in the epoch of the first image of `order`
}

export interface TrainingScore {
  images: number;
  loss: number; // mean over the images, as they were seen
  accuracy: number;
}
