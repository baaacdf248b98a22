// Receptive fields: which pixels of the image and of earlier layers a number depends on.
import { beforeOf, channelsOfEarlier, earlierOf } from '../engine/architecture';
import { mapsRead, product } from '../engine/layers';
import type { LayerRow, Shape } from '../engine/types';

// A number of a layer's output; row and column are 0 in a vector. Layer "input" is the image.
export interface Cell {
  layer: string;
  map: number;
  row: number;
  column: number;
}

export interface Frame {
  top: number;
  left: number;
  height: number;
  width: number;
  first: number; // the first map that is read
  count: number; // number of maps: all, those of a group, or one
}

// Splits a shape into height, width and number of maps. A vector of n numbers is n maps of one number.
export function sizesOf(shape: Shape): [number, number, number] {
  return shape.length === 1 ? [1, 1, shape[0]] : [shape[0], shape[1], shape[2]];
}

// Returns the cell if these layers have it, else null: the network may have changed since it was chosen.
export function cellIn(table: LayerRow[], cell: Cell | null): Cell | null {
  if (cell === null) return null;
  const shape =
    cell.layer === 'input' ? table[0].inputShape : table.find((row) => row.layer.name === cell.layer)?.outputShape;
  if (shape === undefined) return null;
  const sizes = sizesOf(shape);
  const isInside = [cell.row, cell.column, cell.map].every((at, i) => Number.isInteger(at) && at >= 0 && at < sizes[i]);
  return isInside ? cell : null;
}

// Finds the cell of a map that a Flatten makes number `unit` of its vector.
export function unflatten(shape: Shape, unit: number): { map: number; row: number; column: number } {
  const [, width, channels] = sizesOf(shape);
  const pixel = Math.floor(unit / channels);
  return { map: unit % channels, row: Math.floor(pixel / width), column: pixel % width };
}

// Finds the receptive field of a cell in its own layer and in each earlier layer, cut to the map, by layer name; "input" is
// the image.
export function receptiveFrame(table: LayerRow[], cell: Cell): Map<string, Frame> {
  const frames = new Map<string, Frame>();
  const last = table.findIndex((row) => row.layer.name === cell.layer);
  frames.set(cell.layer, { top: cell.row, left: cell.column, height: 1, width: 1, first: cell.map, count: 1 });
  for (let i = last; i >= 0; i--) {
    const frame = frames.get(table[i].layer.name);
    if (frame === undefined) continue; // the cell does not depend on this layer
    const nameAt = (index: number) => (index < 0 ? 'input' : table[index].layer.name);
    const [before, earlier] = [beforeOf(table, i), earlierOf(table, i)];
    if (table[i].layer.kind === 'Concatenate') {
      // Its first maps are copied from the earlier layer, the others from the layer before it.
      const numEarlier = channelsOfEarlier(table, i);
      extend(frames, nameAt(earlier!), partOnMaps(frame, 0, numEarlier));
      extend(frames, nameAt(before), partOnMaps(frame, numEarlier, Infinity));
    } else {
      const factor = { ...frame, top: 0, left: 0, height: 1, width: 1 }; // of a Multiply by a number for each map
      const isOfPixel =
        table[i].layer.kind === 'Multiply' && product(table[before].outputShape) < product(table[i].outputShape);
      extend(frames, nameAt(before), isOfPixel ? factor : frameReadBy(table[i], frame));
      if (earlier !== null) extend(frames, nameAt(earlier), frame);
    }
  }
  return frames;
}

// Keeps the frames of the first `count` layers, from the cell's own back towards the image.
export function nearestFrames(table: LayerRow[], frames: Map<string, Frame>, count: number): Map<string, Frame> {
  const layers = layersBackToImage(table, frames).slice(0, count);
  return new Map(layers.map((layer) => [layer, frames.get(layer)!]));
}

// Lists the layers that a cell depends on, from its own back to the image.
export function layersBackToImage(table: LayerRow[], frames: ReadonlyMap<string, Frame>): string[] {
  const indexOf = (layer: string) => table.findIndex((row) => row.layer.name === layer); // the image is before all of them
  return [...frames.keys()].sort((a, b) => indexOf(b) - indexOf(a));
}

// Cuts a frame to the maps [first, end) and counts maps from `first`: maps 2 to 5 cut to [4, Infinity) are maps 0 to 1.
function partOnMaps(frame: Frame, first: number, end: number): Frame {
  const from = Math.max(frame.first, first);
  return { ...frame, first: from - first, count: Math.max(0, Math.min(frame.first + frame.count, end) - from) };
}

// Finds the frame of a layer's input on which a frame of its output depends; its height is 0 if that is only padding.
function frameReadBy(row: LayerRow, frame: Frame): Frame {
  const { kind } = row.layer;
  const [height, width, maps] = sizesOf(row.inputShape);
  const whole = { top: 0, left: 0, height, width, first: 0, count: maps };
  if (kind === 'Dense' || kind === 'GroupNormalization') return whole;
  if (kind === 'LayerNormalization') return { ...frame, first: 0, count: maps };
  if (kind === 'Flatten') {
    // Several numbers of a vector can come from anywhere in the maps.
    if (frame.count > 1) return whole;
    const { map, row: top, column: left } = unflatten(row.inputShape, frame.first);
    return { top, left, height: 1, width: 1, first: map, count: 1 };
  }
  if (row.window === null) return frame;
  const { reach, strides, padding } = row.window;
  const [top, bottom] = coveredRange(frame.top, frame.height, reach[0], strides[0], padding[0], height);
  const [left, right] = coveredRange(frame.left, frame.width, reach[1], strides[1], padding[1], width);
  const { first } = mapsReadBy(row, frame.first);
  const last = mapsReadBy(row, frame.first + frame.count - 1);
  const count = last.first + last.count - first;
  return { top, left, height: bottom - top, width: right - left, first, count };
}

// Finds the consecutive maps of the input that one map of a layer with a window reads.
export function mapsReadBy({ layer, inputShape }: LayerRow, map: number): { first: number; count: number } {
  if (layer.kind === 'Conv2D') return mapsRead(layer, inputShape, map);
  return { first: layer.kind === 'DepthwiseConv2D' ? Math.floor(map / (layer.depth_multiplier ?? 1)) : map, count: 1 };
}

// Computes the range [begin, end) of the `pixels` of an axis that the windows of outputs first to first + count - 1 cover. The
// window of output i begins at i * stride - padding and has `size` pixels. With size 3, stride 2 and padding 1, outputs 0
// and 1 cover [-1, 4), of which the axis has [0, 4).
function coveredRange(
  first: number,
  count: number,
  size: number,
  stride: number,
  padding: number,
  pixels: number,
): [number, number] {
  const begin = Math.min(pixels, Math.max(0, first * stride - padding));
  const end = Math.min(pixels, (first + count - 1) * stride - padding + size);
  return [begin, Math.max(begin, end)];
}

// Adds a frame to a layer's frame: their union, since several layers may read it.
function extend(frames: Map<string, Frame>, name: string, more: Frame): void {
  if (more.height === 0 || more.width === 0 || more.count === 0) return; // only padding, or none of its maps
  const known = frames.get(name);
  if (known === undefined) {
    frames.set(name, more);
    return;
  }
  const top = Math.min(known.top, more.top);
  const left = Math.min(known.left, more.left);
  const first = Math.min(known.first, more.first);
  frames.set(name, {
    top,
    left,
    height: Math.max(known.top + known.height, more.top + more.height) - top,
    width: Math.max(known.left + known.width, more.left + more.width) - left,
    first,
    count: Math.max(known.first + known.count, more.first + more.count) - first,
  });
}
