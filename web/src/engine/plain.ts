// Architectures and settings as rows of numbers, in the columns of native/page.cpp.
import type { Architecture, LayerRow, LayerSpec, Shape, TrainingSteps } from './types';

const KINDS: Record<string, number> = {
  Conv2D: 0,
  MaxPooling2D: 1,
  GlobalMaxPooling2D: 1, // a pooling whose window is the map
  Flatten: 2,
  Dense: 3,
  AveragePooling2D: 4,
  GlobalAveragePooling2D: 4,
  Dropout: 5,
  DepthwiseConv2D: 6,
  BatchNormalization: 7,
  Add: 8,
  ZeroPadding2D: 9,
  Activation: 10,
};
// Softmax is none of the engine's. Relu has a column of its own, but where it is a layer.
const ACTIVATIONS = ['linear', 'leaky_relu', 'gelu', 'tanh', 'sigmoid', 'relu'];

const isRelu = ({ kind, activation }: LayerSpec): boolean => activation === 'relu' && kind !== 'Activation';
const asMap = (shape: Shape): number[] => [...[1, 1].slice(0, 3 - shape.length), ...shape];

export function plainInput({ input }: Architecture): Float64Array {
  return Float64Array.of(input.height, input.width, input.channels, input.scale, input.offset);
}

export function plainLayers(table: LayerRow[]): Float64Array {
  return Float64Array.from(
    table.flatMap(({ layer, inputShape, outputShape, window }) => [
      KINDS[layer.kind],
      ...asMap(inputShape),
      ...asMap(outputShape),
      ...(window?.size ?? [1, 1]),
      ...(window?.strides ?? [1, 1]),
      ...(window?.padding ?? [0, 0]),
      Number(isRelu(layer)),
      isRelu(layer) ? 0 : Math.max(0, ACTIVATIONS.indexOf(layer.activation ?? 'linear')),
      layer.negative_slope ?? 0.2,
      Math.floor((layer.rate ?? 0) * 2 ** 24), // how many of 2^24 numbers are dropped
      Number(layer.use_bias ?? true),
      layer.momentum ?? 0.99,
      layer.epsilon ?? 1e-3,
      Math.max(
        0,
        table.findIndex((row) => row.layer.name === layer.from_layer),
      ),
    ]),
  );
}

export function plainSettings(steps: TrainingSteps): Float64Array {
  const { optimizer, augmentation = {} } = steps;
  return Float64Array.of(
    Number(optimizer.kind === 'Adam'),
    optimizer.beta_1 ?? 0.9,
    optimizer.beta_2 ?? 0.999,
    optimizer.epsilon ?? 1e-7,
    optimizer.momentum ?? 0,
    Number(optimizer.nesterov ?? false),
    optimizer.weight_decay ?? 0,
    steps.labelSmoothing ?? 0,
    steps.clipNorm ?? 0,
    augmentation.shift ?? 0,
    augmentation.rotation ?? 0,
    augmentation.scale ?? 0,
    augmentation.shear ?? 0,
    augmentation.crop ?? 0,
    augmentation.elastic ?? 0,
    augmentation.elastic_sigma ?? 4,
    augmentation.cutout ?? 0,
    augmentation.contrast ?? 0,
    augmentation.brightness ?? 0,
    augmentation.noise ?? 0,
    steps.key ?? 0,
    steps.first ?? 0,
  );
}
