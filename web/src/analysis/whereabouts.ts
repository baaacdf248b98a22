// Projects an image into the map of test images, and finds its nearest neighbours.
import { rowNamed } from '../engine/architecture';
import type { Network } from '../engine/network';
import type { LiveMap } from '../payload/types';
import { unpack, unpackFloats } from '../payload/unpack';
import { inPieces, type Work } from './slices';

export type Point = [x: number, y: number];

export interface TestMap {
  layer: string;
  points: Point[]; // one for each test image of the map
  indices: ArrayLike<number>; // the images' indices in the split
  labels: ArrayLike<number>;
  neighbours: number; // number of neighbours over which the report counts agreement
  project: (hidden: ArrayLike<number>) => Point; // maps an image by its activations in that layer
}

// Unpacks the map of test images. Its axes are directions in the space of activations: an image's position on axis a is
// Σ hidden[i] * directions[i, a] - offset[a].
export async function loadMap(map: LiveMap): Promise<TestMap> {
  const [points, indices, labels, directions] = await Promise.all([
    unpackFloats(map.points),
    unpack(map.indices),
    unpack(map.labels),
    unpackFloats(map.directions),
  ]);
  const [count, axes] = map.points.shape; // of the axes the map shows the first two
  const positions = Array.from({ length: count }, (_, i): Point => [points[i * axes], points[i * axes + 1]]);
  const along = (hidden: ArrayLike<number>, axis: number) => {
    let sum = -map.offset[axis];
    for (let i = 0; i < hidden.length; i++) sum += hidden[i] * directions[i * axes + axis];
    return sum;
  };
  const project = (hidden: ArrayLike<number>): Point => [along(hidden, 0), along(hidden, 1)];
  return { layer: map.layer, points: positions, indices, labels, neighbours: map.num_neighbours, project };
}

// A test image with its hidden activations and its point in the map.
export interface MappedImage {
  position: number; // index among the images that the page holds, which are fewer than the split's
  hidden: Float32Array;
  point: Point;
}

// Maps every image that the page holds.
export function* mapImages(
  network: () => Network, // asked for each time, since one that is not used for a while is freed
  map: TestMap,
  images: { count: number; image: (i: number) => Uint8Array },
): Work<MappedImage[]> {
  const { index } = rowNamed(network().table, map.layer);
  const known: MappedImage[] = [];
  yield* inPieces(images.count, (from, to) => {
    for (let position = from; position < to; position++) {
      const hidden = network().activations(images.image(position))[index];
      known.push({ position, hidden, point: map.project(hidden) });
    }
  });
  return known;
}

export interface Neighbour extends MappedImage {
  distance: number; // Euclidean, between the hidden activations
}

// Finds the images with the nearest hidden activations, the nearest first, without the image at position `except`.
export function nearest(known: MappedImage[], hidden: ArrayLike<number>, count: number, except = -1): Neighbour[] {
  const neighbours = known
    .filter(({ position }) => position !== except)
    .map((neighbour) => {
      let squares = 0;
      for (let i = 0; i < hidden.length; i++) squares += (hidden[i] - neighbour.hidden[i]) ** 2;
      return { ...neighbour, distance: Math.sqrt(squares) };
    });
  return neighbours.sort((a, b) => a.distance - b.distance).slice(0, count);
}
