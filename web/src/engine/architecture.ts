// The table of an architecture: a row for each layer, with shapes, weights, receptive field and cost.
import type en from 'catalogues/en.json';
import {
  ArchitectureError,
  paddingFrame,
  LAYER_KINDS,
  nameAndKind,
  NON_TRAINABLE_WEIGHTS,
  product,
  formatShape,
} from './layers';
import { ACTIVATIONS } from './activations';
import type { Architecture, Input, LayerRow, LayerSpec, ReceptiveField, Shape, Window } from './types';

export { ArchitectureError } from './layers';

const MAX_VALUES = 2 ** 31 - 1; // weights or outputs of a layer, so that 32-bit indices suffice
const JOINING = ['Add', 'Multiply', 'Branch', 'Concatenate']; // kinds that read an earlier layer by name

// Makes a row for each layer. Throws an ArchitectureError if the layers are not a valid network.
export function layerTable(architecture: Architecture): LayerRow[] {
  const { input, layers } = architecture;
  if (layers.length === 0) throw new ArchitectureError('refused.network.none');
  checkNames(layers);
  const rows: LayerRow[] = [];
  let previous = outputOfImage(input);
  for (const layer of layers) {
    checkArguments(layer);
    const row = makeRow(layer, rows, previous, input);
    previous = row;
    rows.push(row);
  }
  checkAllAreRead(layers);
  checkEnd(rows);
  return rows;
}

export function rowNamed(table: LayerRow[], name: string): LayerRow {
  const row = table.find((row) => row.layer.name === name);
  if (row === undefined) {
    throw new Error(`There is no layer ${name}; the layers are ${table.map((row) => row.layer.name).join(', ')}.`);
  }
  return row;
}

// Finds the layer that computes the logits: the last one, not counting a final linear or softmax activation layer.
export function logitsRow(table: LayerRow[]): LayerRow {
  let index = table.length - 1;
  while (index > 0 && table[index].layer.kind === 'Activation' && isLinearBeforeSoftmax(table[index].layer)) index--;
  return table[index];
}

const isLinearBeforeSoftmax = ({ activation = 'linear' }: LayerSpec) => ['linear', 'softmax'].includes(activation);

// Finds the layer that a layer reads; -1 is the image. A Branch reads its `from_layer` instead of the previous layer.
export function beforeOf(table: LayerRow[], index: number): number {
  const { kind, from_layer } = table[index].layer;
  return kind === 'Branch' ? table.findIndex((row) => row.layer.name === from_layer) : index - 1;
}

// Finds the earlier layer that an Add, Multiply or Concatenate also reads; null for other layers.
export function earlierOf(table: LayerRow[], index: number): number | null {
  const { kind, from_layer } = table[index].layer;
  return kind === 'Branch' || from_layer === undefined ? null : table.findIndex((row) => row.layer.name === from_layer);
}

// Counts the channels that a concatenation takes from the earlier layer; these come first. 0 for other layers.
export function channelsOfEarlier(table: LayerRow[], index: number): number {
  if (table[index].layer.kind !== 'Concatenate') return 0;
  return table[index].inputShape.at(-1)! - table[index - 1].outputShape.at(-1)!;
}

// What the next layer needs to know of a layer.
type Output = Pick<LayerRow, 'outputShape' | 'receptiveField'>;

const outputOfImage = ({ height, width, channels }: Input): Output => ({
  outputShape: [height, width, channels],
  receptiveField: { size: [1, 1], jump: [1, 1], start: [0, 0] },
});

function makeRow(layer: LayerSpec, before: LayerRow[], previous: Output, input: Input): LayerRow {
  const kind = LAYER_KINDS[layer.kind];
  const earlier = layer.from_layer === undefined ? undefined : earlierOutput(layer, before, input);
  // A Branch reads the earlier layer instead of the previous one; the others that join read both.
  const isBranch = layer.kind === 'Branch';
  const [source, joined] = isBranch ? [earlier!, undefined] : [previous, earlier];
  if (joined !== undefined) checkJoined(layer, before, joined.outputShape);
  const isProduct = layer.kind === 'Multiply';
  const inputShape =
    layer.kind === 'Concatenate'
      ? concatenate(joined!.outputShape, source.outputShape)
      : (isProduct ? joined! : source).outputShape;
  const window = kind.window?.(layer, inputShape) ?? null;
  const outputShape = kind.outputShape(layer, inputShape);
  const weightShapes = Object.entries(kind.weightShapes?.(layer, inputShape) ?? {});
  const count = (shapes: [string, Shape][]) => shapes.reduce((sum, [, shape]) => sum + product(shape), 0);
  if (Math.max(count(weightShapes), product(outputShape)) > MAX_VALUES) {
    throw new ArchitectureError('refused.network.large', nameAndKind(layer));
  }
  return {
    index: before.length,
    layer,
    inputShape,
    outputShape,
    weightShapes: Object.fromEntries(weightShapes.map(([name, shape]) => [`${layer.name}/${name}`, shape])),
    window,
    receptiveField: isProduct // the jump is that of the maps, not of the factors
      ? coverBoth(joined!.receptiveField, { outputShape, receptiveField: source.receptiveField })
      : coverBoth(receptiveField(layer, inputShape, window, source.receptiveField, input), joined),
    parameters: count(weightShapes.filter(([name]) => !NON_TRAINABLE_WEIGHTS.includes(name))),
    macs: kind.macs?.(layer, inputShape) ?? 0,
  };
}

const concatenate = (first: Shape, second: Shape): Shape => [...second.slice(0, -1), first.at(-1)! + second.at(-1)!];

// Computes the receptive field of a layer from that of the layer it reads: a window of `reach` outputs covers size +
// (reach - 1) * jump pixels. After a 2 × 2 pooling (size 2, jump 2), a 3 × 3 kernel covers 2 + 2 * 2 = 6 pixels a side.
// A layer that reads its whole input, such as Dense, covers that input's pixels of the image.
function receptiveField(
  layer: LayerSpec,
  shape: Shape,
  window: Window | null,
  { size, jump, start }: ReceptiveField,
  input: Input,
): ReceptiveField {
  const both = (compute: (axis: 0 | 1) => number): [number, number] => [compute(0), compute(1)];
  if (window !== null && !layer.kind.startsWith('Global')) {
    return {
      size: both((axis) => size[axis] + (window.reach[axis] - 1) * jump[axis]),
      jump: both((axis) => jump[axis] * window.strides[axis]),
      start: both((axis) => start[axis] - window.padding[axis] * jump[axis]),
    };
  }
  const isSame = formatShape(LAYER_KINDS[layer.kind].outputShape(layer, shape)) === formatShape(shape);
  const isGroup = layer.kind === 'GroupNormalization'; // it keeps the shape, but reads the whole map
  if (shape.length === 1 || (isSame && !isGroup)) return { size, jump, start };
  const pixels = [input.height, input.width];
  const first = both((axis) => Math.max(start[axis], 0));
  const end = (axis: 0 | 1) => Math.min(start[axis] + (shape[axis] - 1) * jump[axis] + size[axis], pixels[axis]);
  // If only padding is read, the end lies before the first pixel.
  const whole: ReceptiveField = {
    size: both((axis) => Math.max(end(axis) - first[axis], 0)),
    jump: [0, 0],
    start: first,
  };
  return isGroup ? coverBoth({ size, jump, start }, { outputShape: shape, receptiveField: whole }) : whole;
}

// Computes the receptive field of a layer that also reads an earlier layer: the smallest field with the jump of `own` that
// contains, for every output i, both fields:
//     own.start + i * own.jump + [0, own.size)  and  field.start + i * field.jump + [0, field.size)
// The jumps differ if padding makes up for a stride between the two layers. Seen from i * own.jump, `field` then moves
// with i: from field.start at the first output to field.start + drift at the last, so the joint field covers both. With
// own fields of 3 pixels from -1 + 2i and a `field` of pixel i, four outputs have a drift of -3. The joint fields have
// 5 pixels from -3 + 2i: at i = 3 pixels 3 to 7, for its pixels 5 to 7 and 3.
function coverBoth(own: ReceptiveField, earlier: Output | undefined): ReceptiveField {
  if (earlier === undefined) return own;
  const axes = ([0, 1] as const).map((axis) => {
    const length = earlier.outputShape.length === 3 ? earlier.outputShape[axis] : 1;
    const field = earlier.receptiveField;
    const drift = (length - 1) * (field.jump[axis] - own.jump[axis]);
    const first = Math.min(own.start[axis], field.start[axis] + Math.min(drift, 0));
    const end = field.start[axis] + Math.max(drift, 0) + field.size[axis];
    return { first, size: Math.max(own.start[axis] + own.size[axis], end) - first };
  });
  return { size: [axes[0].size, axes[1].size], jump: own.jump, start: [axes[0].first, axes[1].first] };
}

function checkNames(layers: LayerSpec[]): void {
  const names = layers.map((layer) => layer.name);
  for (const [i, name] of names.entries()) {
    if (names.indexOf(name) < i) throw new ArchitectureError('refused.network.twice', { layer: name });
    if (!/^[A-Za-z0-9_]+$/.test(name) || name === 'input') {
      throw new ArchitectureError('refused.network.name', { layer: name });
    }
  }
}

function checkArguments(layer: LayerSpec): void {
  const kind = Object.hasOwn(LAYER_KINDS, layer.kind) ? LAYER_KINDS[layer.kind] : undefined;
  if (kind === undefined) throw new ArchitectureError('refused.network.kind', nameAndKind(layer));
  if (JOINING.includes(layer.kind) && layer.from_layer === undefined) {
    throw new ArchitectureError('refused.network.summand', { ...nameAndKind(layer), other: '' });
  }
  const refuse = (argument: string, rule: keyof typeof en.refused.argument, choices = '') => {
    throw new ArchitectureError(`refused.argument.${rule}`, { ...nameAndKind(layer), argument, choices });
  };
  const isCount = (value: unknown, highest: number) =>
    Number.isInteger(value) && Number(value) >= 1 && Number(value) <= highest;
  for (const name of kind.counts ?? []) {
    const value = name === 'depth_multiplier' || name === 'groups' ? (layer[name] ?? 1) : layer[name];
    if (!isCount(value, 65536)) refuse(name, 'count'); // the limits are those of src/convscope/architecture
  }
  for (const name of ['kernel_size', 'strides', 'dilation_rate', 'pool_size'] as const) {
    const pair: unknown = layer[name] ?? [1, 1];
    const isPair = Array.isArray(pair) && pair.length === 2 && pair.every((value) => isCount(value, 1024));
    if (!isPair) refuse(name, 'pair');
  }
  const isAboveOne = (pair: number[] = [1, 1]) => Math.max(...pair) > 1;
  if (isAboveOne(layer.strides) && isAboveOne(layer.dilation_rate)) {
    throw new ArchitectureError('refused.network.dilation', nameAndKind(layer));
  }
  if (layer.kind === 'ZeroPadding2D') {
    if (!isFrame(layer.padding ?? paddingFrame(layer))) refuse('padding', 'frame');
  } else if (layer.padding !== undefined && layer.padding !== 'valid' && layer.padding !== 'same') {
    refuse('padding', 'padding');
  }
  const { negative_slope: slope = 0 } = layer;
  if (!(slope >= 0 && Number.isFinite(Math.fround(slope)))) refuse('negative_slope', 'slope');
  if (kind.hasActivation && !Object.hasOwn(ACTIVATIONS, layer.activation ?? 'linear')) {
    refuse('activation', 'choice', Object.keys(ACTIVATIONS).join(', '));
  }
  const isFraction = (value: number | undefined) => value !== undefined && value >= 0 && value < 1;
  if (layer.kind === 'Dropout' && !isFraction(layer.rate)) refuse('rate', 'fraction');
  if (layer.kind.endsWith('Normalization')) {
    const { momentum = 0.99, epsilon = 1e-3 } = layer;
    if (!isFraction(momentum)) refuse('momentum', 'fraction');
    if (!(epsilon > 0 && epsilon <= 1)) refuse('epsilon', 'epsilon');
  }
}

function isFrame(value: unknown): boolean {
  const isPair = (pair: unknown, isGood: (item: unknown) => boolean) =>
    Array.isArray(pair) && pair.length === 2 && pair.every(isGood);
  const isWidth = (width: unknown) => Number.isInteger(width) && Number(width) >= 0 && Number(width) <= 1024;
  return isPair(value, (pair) => isPair(pair, isWidth));
}

function earlierOutput(layer: LayerSpec, before: LayerRow[], input: Input): Output {
  if (layer.from_layer === 'input') return outputOfImage(input);
  const source = before.find((row) => row.layer.name === layer.from_layer);
  if (source !== undefined) return source;
  throw new ArchitectureError('refused.network.summand', { ...nameAndKind(layer), other: layer.from_layer! });
}

function checkJoined(layer: LayerSpec, before: LayerRow[], otherShape: Shape): void {
  const previous = before.at(-1);
  if (previous === undefined) throw new ArchitectureError('refused.network.first', nameAndKind(layer));
  const values = {
    ...nameAndKind(layer),
    other: layer.from_layer!,
    otherShape: formatShape(otherShape),
    given: previous.layer.name,
    givenShape: formatShape(previous.outputShape),
  };
  if (layer.kind === 'Add' && values.givenShape !== values.otherShape) {
    throw new ArchitectureError('refused.network.summands', values);
  }
  const channels = otherShape.slice(-1);
  if (layer.kind === 'Multiply') {
    const fitting = [otherShape, channels, [1, 1, ...channels]].map(formatShape);
    if (!fitting.includes(values.givenShape)) throw new ArchitectureError('refused.network.factors', values);
  } else if (formatShape(previous.outputShape.slice(0, -1)) !== formatShape(otherShape.slice(0, -1))) {
    throw new ArchitectureError('refused.network.joined', values);
  }
}

// A Branch does not read the layer above it, so a later layer must.
function checkAllAreRead(layers: LayerSpec[]): void {
  const read = new Set(layers.map((layer) => layer.from_layer));
  const unread = layers.find((layer, i) => layers[i + 1]?.kind === 'Branch' && !read.has(layer.name));
  if (unread !== undefined) throw new ArchitectureError('refused.network.unread', nameAndKind(unread));
}

function checkEnd(rows: LayerRow[]): void {
  const last = rows[rows.length - 1];
  if (last.outputShape.length !== 1 || last.outputShape[0] < 2) {
    throw new ArchitectureError('refused.network.end', {
      ...nameAndKind(last.layer),
      shape: formatShape(last.outputShape),
    });
  }
  for (const { layer } of rows) {
    const activation = layer.activation ?? 'linear';
    if (activation === 'softmax' && layer !== last.layer) {
      throw new ArchitectureError('refused.network.softmax', nameAndKind(layer));
    }
    if (layer.kind === 'SoftVoting' && layer !== last.layer) {
      throw new ArchitectureError('refused.network.voting', nameAndKind(layer));
    }
    if (layer === last.layer && activation !== 'softmax' && activation !== 'linear') {
      throw new ArchitectureError('refused.network.last', nameAndKind(layer));
    }
  }
}
