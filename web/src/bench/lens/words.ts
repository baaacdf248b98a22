// What a layer does to the numbers before it, in two sentences.
import type { LayerRow } from '../../engine/types';
import { functionName, sizeText } from '../parts/headings';
import { showsLogits } from '../parts/outputs';

const AFTERWARDS: Record<string, string> = {
  relu: ', set negatives to zero',
  leaky_relu: ', shrink negatives',
  gelu: ', damp small and negative values',
  tanh: ', squeeze it between −1 and 1',
  sigmoid: ', squeeze it between 0 and 1',
};

const MEANING: Record<string, string> = {
  linear: 'Each number passes as it is.',
  relu: 'Negative numbers become zero, and all others pass as they are.',
  leaky_relu: 'Negative numbers are multiplied by a small slope, and all others pass as they are.',
  gelu: 'Large numbers pass, small and negative ones are damped.',
  tanh: 'Each number is squeezed between −1 and 1.',
  sigmoid: 'Each number is squeezed between 0 and 1.',
  softmax: 'e to the power of each logit, divided by the sum of them all: numbers from 0 to 1 that add up to 1.',
};

const after = ({ layer }: LayerRow): string => AFTERWARDS[layer.activation ?? 'linear'] ?? '';

// `row` is null for the image.
export function explanationOf(row: LayerRow | null, isFirst: boolean, scale: string): string {
  if (row === null) return `The image as numbers, from 0 (black) to 255 (white). The network reads each ${scale}.`;
  const { layer, window, inputShape } = row;
  const size = window === null ? '' : sizeText(window.size);
  const maps = inputShape.at(-1)!;
  switch (layer.kind) {
    case 'Conv2D': {
      const over = isFirst ? 'the image' : maps === 1 ? 'the map before' : `the ${maps} maps before`;
      const kernels = maps === 1 ? `A ${size} kernel slides` : `${maps} kernels, ${size} each, slide`;
      return `${kernels} over ${over}. At each place: multiply, add up, add the bias${after(row)}. That is one cell.`;
    }
    case 'DepthwiseConv2D':
      return `A ${size} kernel slides over one map before. At each place: multiply, add up, add the bias${after(row)}.`;
    case 'MaxPooling2D':
      return `Each ${size} window becomes one number, its largest. The map gets smaller, and the strongest response stays.`;
    case 'AveragePooling2D':
      return `Each ${size} window becomes one number, its mean. The map gets smaller and smoother.`;
    case 'GlobalMaxPooling2D':
      return 'A whole map becomes one number, its largest. Where it was in the map is no longer known.';
    case 'GlobalAveragePooling2D':
      return 'A whole map becomes one number, its mean. Where it was bright is no longer known.';
    case 'Flatten':
      return 'The numbers of all maps are put into one row. Nothing is computed.';
    case 'Dropout':
      return 'In training, a random share of these numbers is set to zero. Now every number passes as it is.';
    case 'ZeroPadding2D':
      return 'A border of zeros is added, so that later windows reach the edge. All other numbers are copied.';
    case 'BatchNormalization':
      return 'Each map is shifted and divided by the mean and deviation of the training images. Two learned numbers, γ and β, then scale and shift it.';
    case 'Add':
      return 'Two layers are added number by number. The shortcut leaves the layers between only the change to learn.';
    case 'Dense':
      return dense(row);
    default:
      return `${functionName(layer.activation ?? 'linear')} is applied to each number. ${MEANING[layer.activation ?? 'linear']}`;
  }
}

function dense(row: LayerRow): string {
  const inputs = row.inputShape[0].toLocaleString('en');
  const sum = `Each of the ${inputs} numbers before is multiplied by a weight, and all are added up with the bias`;
  if (!showsLogits(row)) return `${sum}${after(row)}. The largest terms come first.`;
  return `${sum}: the logit. Softmax turns all logits into probabilities.`;
}
