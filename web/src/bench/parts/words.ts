// Describes layers in words: kindText "Conv2D 3×3", activationText "relu", parametersText "80 weights", layerText all.
import { paddingFrame } from '../../engine/layers';
import type { LayerRow, LayerSpec, Shape } from '../../engine/types';
import { digits, say } from '../../text/say.svelte';

// Writes a shape (rows, columns, maps) with the maps first, as pictures of networks do: "8×26×26".
export function shapeText(shape: Shape): string {
  return shape.length === 1 ? String(shape[0]) : `${shape[2]}×${shape[0]}×${shape[1]}`;
}

export function isVector(shape: Shape): boolean {
  return shape.length === 1;
}

export function kindText({ layer, window }: LayerRow): string {
  const hasSize =
    window !== null && layer.kind.endsWith('2D') && !layer.kind.startsWith('Global') && layer.kind !== 'ZeroPadding2D';
  return layer.kind + (hasSize ? ` ${window.size.join('×')}` : '');
}

export function activationText({ layer }: LayerRow): string {
  const { kind, activation } = layer;
  if (kind === 'Dropout') return say('parts.about.noEffect');
  if (kind === 'Flatten') return say('parts.about.reshapes');
  if (kind === 'ZeroPadding2D') return paddingText(layer);
  if (kind === 'Activation' && activation === 'leaky_relu') {
    return say('parts.about.slope', { slope: numberText(layer.negative_slope ?? 0.2) }); // Keras's default
  }
  if (kind === 'Add') return `+ ${layer.from_layer}${activation && activation !== 'linear' ? `, ${activation}` : ''}`;
  if (kind === 'Multiply') return `× ${layer.from_layer}`;
  if (kind === 'Branch') return `← ${layer.from_layer}`;
  if (kind === 'Concatenate') return `${layer.from_layer} + …`;
  return activation ?? '';
}

function paddingText(layer: LayerSpec): string {
  const [[above, below], [left, right]] = paddingFrame(layer);
  const isEven = above === below && left === right;
  if (isEven && above === left) return say('parts.about.zerosAround', { width: above });
  const sides = (before: number, after: number) => (isEven ? String(before) : `${before} + ${after}`);
  return say('parts.about.zerosBySide', { rows: sides(above, below), columns: sides(left, right) });
}

export function parametersText(row: LayerRow): string {
  return row.parameters === 0 ? say('parts.about.noWeights') : say('parts.about.weights', { n: row.parameters });
}

// Writes a number with up to `maxDigits` significant digits, without trailing zeros.
export function numberText(value: number, maxDigits = 4): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  const text = size >= 1e5 || size < 1e-3 ? value.toExponential(1) : String(Number(value.toPrecision(maxDigits)));
  return digits(text);
}

// Writes everything about a layer in one line.
export function layerText(row: LayerRow): string {
  const { layer, receptiveField } = row;
  const parts = [`${layer.name}: ${kindText(row)}`];
  if (layer.strides && layer.strides.some((stride) => stride > 1)) {
    parts.push(say('parts.about.stride', { stride: layer.strides.join('×') }));
  }
  if (layer.dilation_rate) parts.push(say('parts.about.dilation', { dilation: layer.dilation_rate.join('×') }));
  if (layer.groups) parts.push(say('parts.about.groups', { groups: layer.groups }));
  if (typeof layer.padding === 'string') parts.push(layer.padding);
  const activation = activationText(row);
  if (activation) parts.push(activation);
  parts.push(shapeText(row.outputShape), parametersText(row));
  if (row.macs > 0) parts.push(say('parts.about.multiplyAdds', { n: row.macs }));
  parts.push(say('parts.about.receptiveField', { size: receptiveField.size.join(' × ') }));
  return parts.join(' · ');
}
