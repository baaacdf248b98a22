// The layout of the flow: how wide headings are, and how large the maps are in the height that headings leave.
import type { Shape } from '../../engine/types';
import type { Heading } from '../parts/headings';
import { heightOf, narrowestFor, type Column } from './columns';
import { BETWEEN, canvasSize, fitGrids, imageGrid, widthOf, type Grid } from './grid';

// All lengths here are in CSS pixels.
const FOLDED = 8; // width of a folded layer, as in LayerColumn
const MIN_HEIGHT = 160; // of the maps
const GAP = 8; // between heading and maps, as in Flow, like the padding
const PADDING = 4; // left and right of the columns together
const [SMALL_IMAGE, LARGE_IMAGE] = [56, 196]; // least and largest side of the image

export interface Room {
  width: number;
  height: number; // 0 until it is measured
  margin: number; // above and below the columns together
  scale: number; // canvas pixels of a CSS pixel
  textScale: number; // size of the text of headings, 1 by default
}

export interface Layout {
  narrowest: number[]; // width that each heading needs, the image's first
  picture: Grid; // of the image
  grids: Grid[]; // of the layers
  spareWidth: number; // negative if the columns are wider than the flow
}

type Image = { shape: Shape; heading: Heading };
type ShowsAll = (layer: string) => boolean; // true for a layer that shows every map

// Lays out the image and the layers. Headings are as narrow as they can be, unless the columns are wider than the flow anyway:
// then they take fewer lines and more width.
export function layOut(image: Image, columns: Column[], showsAll: ShowsAll, room: Room): Layout {
  const compact = fitColumns(image, columns, showsAll, room, false);
  return compact.spareWidth >= 0 ? compact : fitColumns(image, columns, showsAll, room, true);
}

function fitColumns(image: Image, columns: Column[], showsAll: ShowsAll, room: Room, isRoomy: boolean): Layout {
  const { width, scale, textScale } = room;
  const headings = [image.heading, ...columns.map(({ heading }) => heading)];
  const narrowest = headings.map((heading) => narrowestFor(heading, textScale, isRoomy));
  const needs = columns.map(({ row, folded }, i) => ({
    shape: row.outputShape,
    all: showsAll(row.layer.name),
    narrowest: narrowest[i + 1],
    folded: folded ? FOLDED : null,
  }));
  // Fits the layers into the width that an image of this side leaves, with maps of at most this height.
  const fitWithImage = (side: number, height: number): Layout => {
    const picture = imageGrid(image.shape, side, height, scale);
    const available = width - PADDING - Math.max(narrowest[0], canvasSize(picture).width / scale) - BETWEEN;
    const grids = fitGrids(needs, available, height, scale);
    return { narrowest, picture, grids, spareWidth: available - widthOf(needs, grids, scale) };
  };
  // The image takes a ninth of the width. It is small only where that makes all columns fit.
  const fitToHeight = (height: number): Layout => {
    const large = fitWithImage(Math.max(SMALL_IMAGE, Math.min(width / 9, LARGE_IMAGE)), height);
    if (large.spareWidth >= 0) return large;
    const small = fitWithImage(SMALL_IMAGE, height);
    return small.spareWidth >= 0 ? small : large;
  };
  const headingHeight = (heading: Heading, i: number, grid?: Grid) => {
    if (i > 0 && columns[i - 1].folded) return 0;
    const mapsWidth = grid === undefined ? 0 : canvasSize(grid).width / scale;
    return heightOf(heading, Math.max(narrowest[i], mapsWidth), textScale);
  };
  const mapHeight = (grids: Grid[]) => {
    const highest = Math.max(...headings.map((heading, i) => headingHeight(heading, i, grids[i])));
    return Math.max(MIN_HEIGHT, room.height - highest - GAP - room.margin);
  };
  // Columns are first as narrow as their headings. Where maps make them wider, headings wrap less and leave more height.
  const draft = fitToHeight(mapHeight([]));
  return fitToHeight(mapHeight([draft.picture, ...draft.grids]));
}
