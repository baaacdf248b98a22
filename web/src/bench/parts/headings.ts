// What each layer is called on the page, in words that need no Keras.
import { logitsRow } from '../../engine/architecture';
import type { LayerRow, LayerSpec, Shape } from '../../engine/types';
import { numberText } from './words';

export interface Heading {
  title: string;
  facts: string;
}

const NAMES: Record<string, string> = {
  Conv2D: 'Convolution',
  DepthwiseConv2D: 'Depthwise convolution',
  MaxPooling2D: 'Max pooling',
  AveragePooling2D: 'Average pooling',
  GlobalMaxPooling2D: 'Global max pooling',
  GlobalAveragePooling2D: 'Global average pooling',
  Flatten: 'Flatten',
  ZeroPadding2D: 'Zero padding',
  Dropout: 'Dropout',
  BatchNormalization: 'Batch normalisation',
  Add: 'Addition',
  Dense: 'Dense',
};
const FUNCTIONS: Record<string, string> = {
  linear: 'Identity',
  relu: 'ReLU',
  leaky_relu: 'Leaky ReLU',
  gelu: 'GELU',
  tanh: 'Tanh',
  sigmoid: 'Sigmoid',
  softmax: 'Softmax',
};

export const functionName = (activation: string): string => FUNCTIONS[activation] ?? activation;

export function sizeText([rows, columns]: readonly number[]): string {
  return `${rows} × ${columns}`;
}

const countText = (count: number, one: string) => `${count.toLocaleString('en')} ${one}${count === 1 ? '' : 's'}`;

export function inputHeading([rows, columns, channels]: Shape): Heading {
  const depth = channels === 1 ? '' : ` × ${channels}`;
  return { title: 'Input', facts: `${rows} × ${columns}${depth} pixels` };
}

// By layer of the table. Layers of one kind are numbered where there are several.
export function headings(table: LayerRow[]): Heading[] {
  const last = logitsRow(table);
  const names = table.map((row) => nameOf(row, row === last));
  const seen = new Map<string, number>();
  const titles = names.map((name) => {
    if (names.filter((one) => one === name).length === 1) return name;
    seen.set(name, (seen.get(name) ?? 0) + 1);
    return `${name} ${seen.get(name)}`;
  });
  const titled = (layer: string | undefined) => titles[table.findIndex((row) => row.layer.name === layer)] ?? '';
  return table.map((row, i) => ({
    title: titles[i],
    facts: row === last ? countText(last.outputShape.at(-1)!, 'logit') : factsOf(row, titled(row.layer.from_layer)),
  }));
}

function nameOf({ layer }: LayerRow, isLast: boolean): string {
  if (isLast && layer.kind !== 'Activation') return 'Output';
  return layer.kind === 'Activation' ? functionName(layer.activation ?? 'linear') : (NAMES[layer.kind] ?? layer.kind);
}

function factsOf(row: LayerRow, other: string): string {
  const { layer, window, outputShape } = row;
  const size = window === null ? '' : sizeText(window.size);
  switch (layer.kind) {
    case 'Conv2D':
      return `${countText(outputShape[2], 'filter')}, ${size}`;
    case 'DepthwiseConv2D':
      return `${size}, each map by itself`;
    case 'MaxPooling2D':
      return `keeps the largest of ${size}`;
    case 'AveragePooling2D':
      return `mean of ${size}`;
    case 'GlobalMaxPooling2D':
      return 'the largest of each map';
    case 'GlobalAveragePooling2D':
      return 'the mean of each map';
    case 'Flatten':
      return `${countText(outputShape[0], 'number')} in a row`;
    case 'ZeroPadding2D':
      return 'adds a border of zeros';
    case 'Dropout':
      return 'active in training only';
    case 'BatchNormalization':
      return 'rescales each map';
    case 'Add':
      return `adds ${other}`;
    case 'Dense':
      return countText(outputShape[0], 'unit');
    default:
      return activationFacts(layer, outputShape);
  }
}

function activationFacts({ activation, negative_slope: slope }: LayerSpec, shape: Shape): string {
  if (activation === 'softmax') return `${shape[0]} probabilities`;
  if (activation === 'leaky_relu') return `slope ${numberText(slope ?? 0.2)} below zero`;
  return 'applied to each number';
}

// What one map or unit of a layer is called: "filter 7" of a convolution, "map 7" of a pooling, "unit 12", or the class.
export function partName(row: LayerRow | null, map: number, classNames: string[], isAnswer: boolean): string {
  if (row === null) return `channel ${map}`;
  if (isAnswer) return `class ${classNames[map]}`;
  if (row.outputShape.length === 1) return `unit ${map}`;
  return row.layer.kind.endsWith('Conv2D') ? `filter ${map}` : `map ${map}`;
}
