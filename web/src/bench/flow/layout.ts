// The layout of the flow. Wider maps let headings wrap into fewer lines, and lower headings leave more height for maps.
// So it is computed twice: first with headings as narrow as they can be, then with headings as wide as the first maps.
import type { Shape } from '../../engine/types';
import type { Heading } from '../parts/headings';
import { heightOf, narrowestFor, type Column } from './columns';
import { BETWEEN, canvasSize, fitGrids, imageGrid, widthOf, type ColumnNeeds, type Grid } from './grid';

// All lengths here are in CSS pixels.
const FOLDED = 8; // width of a folded layer, as in LayerColumn
const MIN_HEIGHT = 160; // of the maps
const GAP = 8; // between heading and maps, as in Flow, like the padding
const LEGEND = 20; // below the maps, with the gap above it
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

// Lays out the image and the layers. Headings are as narrow as they can be, unless the columns are wider than the flow
// anyway: then they take fewer lines and more width.
export function layOut(image: Image, columns: Column[], showsAll: ShowsAll, room: Room): Layout {
  const compact = fitColumns(image, columns, showsAll, room, false);
  return compact.spareWidth >= 0 ? compact : fitColumns(image, columns, showsAll, room, true);
}

function fitColumns(image: Image, columns: Column[], showsAll: ShowsAll, room: Room, isRoomy: boolean): Layout {
  const headings = [image.heading, ...columns.map(({ heading }) => heading)];
  const narrowest = headings.map((heading) => narrowestFor(heading, room.textScale, isRoomy));
  const needs = columns.map(({ row, folded }, i) => ({
    shape: row.outputShape,
    all: showsAll(row.layer.name),
    narrowest: narrowest[i + 1],
    folded: folded ? FOLDED : null,
  }));
  // The height that headings leave: each is as wide as its column, which is as wide as the maps if these are known.
  const heightForMaps = (grids: Grid[]) => {
    const headingHeights = headings.map((heading, i) => {
      if (i > 0 && columns[i - 1].folded) return 0;
      const mapsWidth = i < grids.length ? canvasSize(grids[i]).width / room.scale : 0;
      return heightOf(heading, Math.max(narrowest[i], mapsWidth), room.textScale);
    });
    return Math.max(
      MIN_HEIGHT,
      room.height - Math.max(...headingHeights) - GAP - LEGEND * room.textScale - room.margin,
    );
  };
  const draft = fitWidth(image.shape, needs, narrowest, heightForMaps([]), room);
  return fitWidth(image.shape, needs, narrowest, heightForMaps([draft.picture, ...draft.grids]), room);
}

// Fits all columns into the width, with maps of at most this height. The image takes a ninth of the width, and is small
// only where that makes all columns fit.
function fitWidth(shape: Shape, needs: ColumnNeeds[], narrowest: number[], height: number, room: Room): Layout {
  const fitBesideImage = (side: number): Layout => {
    const picture = imageGrid(shape, side, height, room.scale);
    const imageWidth = Math.max(narrowest[0], canvasSize(picture).width / room.scale);
    const available = room.width - PADDING - imageWidth - BETWEEN;
    const grids = fitGrids(needs, available, height, room.scale);
    return { narrowest, picture, grids, spareWidth: available - widthOf(needs, grids, room.scale) };
  };
  const large = fitBesideImage(Math.max(SMALL_IMAGE, Math.min(room.width / 9, LARGE_IMAGE)));
  if (large.spareWidth >= 0) return large;
  const small = fitBesideImage(SMALL_IMAGE);
  return small.spareWidth >= 0 ? small : large;
}
