// The layout of the flow: all layers in its width and height, at every size, without scrolling.
//   wide     every map of every layer side by side, under headings with facts or, in less room, with titles alone
//   compact  each layer as a thumbnail of its first maps, in as few lines as possible, and the opened layer larger
// A network with branches is always compact: its layers stand by depth from left to right, each branch in its own lane.
import type { Shape } from '../../engine/types';
import type { Heading } from '../parts/headings';
import { isVector } from '../parts/words';
import { lanesAt, type Connection, type Spot } from './arrange';
import { heightOf, narrowestFor, shortWidth, uprightHeight, widthOfTitle } from './columns';
import { BETWEEN, canvasSize, gridIn, imageGrid, MAX_SIDE, squareGrid, thumbnail, type Grid } from './grid';

// All lengths here are in CSS pixels.
const FOLDED = 8; // width of a folded layer, as in LayerColumn
export const ARCS = 16; // height below the maps for connections that skip layers
const GAP = 8; // between heading and maps
export const PICTURE_GAP = 2; // between the picture in colour and its channels
const FEW_MAPS = 16; // a layer of more has smaller maps
const SMALL_IMAGE = 56; // least side of the image where all maps are shown
const [MIN_THUMBNAIL, MAX_THUMBNAIL, NARROW] = [20, 88, 14]; // width; below the last, blocks are folded
const OVERHANG = 6; // by which a name may be wider than its column
const MIN_NAMED = 14; // width of a thumbnail with an upright name
const MIN_LINE = 80; // height of a line of thumbnails
const [SHORT, LANE_GAP, LINE_GAP] = [18, 4, 8]; // height of a short name; gaps between lanes and between lines

// The image, or a layer.
export interface Item {
  heading: Heading;
  shape: Shape;
  folded: boolean; // it is a thin line
  follows: boolean; // its maps correspond to those of the item before, and stand in the same grid
  spot: Spot;
}

export interface Room {
  width: number;
  height: number; // 0 until it is measured
  scale: number; // canvas pixels of a CSS pixel
  textScale: number; // size of the text of headings, 1 by default
}

// Where an item is drawn. A name is upright where the column is narrower than names.
export interface Tile {
  left: number;
  top: number;
  width: number;
  height: number;
  head: number; // height of the heading with its gap
  look: 'facts' | 'title' | 'short' | 'upright' | 'hidden' | 'line';
  grid: Grid;
}

// Lays out the image, which is the first item, and the layers. `opened` is the index of the opened item. A block is all that
// a connection of `skipping` passes over: where thumbnails would be narrow, the layers in blocks are folded, but for the
// block with the opened layer.
export function layOut(items: Item[], opened: number, skipping: Connection[], room: Room): Tile[] {
  const arcs = skipping.length > 0 ? ARCS : 0;
  const above = { ...room, height: room.height - arcs };
  const isChain = items.every(({ spot }) => spot.lane === 0);
  const wide = isChain ? (fitWide(items, 'facts', above) ?? fitWide(items, 'title', above)) : null;
  if (wide !== null) return wide;
  const compact = (shown: Item[]) => fitCompact(shown, opened, arcs, { ...room, width: room.width - OVERHANG });
  const tiles = compact(items);
  const isNarrow = tiles.some(({ look, width }) => look !== 'line' && width < NARROW);
  if (!isNarrow || arcs === 0) return tiles;
  // The index of an item is one more than that of its layer.
  const closed = skipping.filter(({ from, to }) => opened <= from + 1 || opened > to);
  const isInBlock = (i: number) => closed.some(({ from, to }) => i > from + 1 && i <= to);
  return compact(items.map((item, i) => ({ ...item, folded: item.folded || isInBlock(i) })));
}

// Fits all maps of all layers into the room, as large as they can be, or returns null. Many maps are smaller than few, and
// pooled maps smaller than those that they are computed from, but in the same grid.
function fitWide(items: Item[], look: 'facts' | 'title', { width, height, scale, textScale }: Room): Tile[] | null {
  const headings = items.map(({ heading }) => (look === 'facts' ? heading : { ...heading, facts: '' }));
  const narrowest = headings.map((heading) => narrowestFor(heading, textScale));
  const widthAt = (i: number, grid?: Grid) =>
    items[i].folded ? FOLDED : Math.max(narrowest[i], grid === undefined ? 0 : canvasSize(grid).width / scale);
  const headOf = (grids: Grid[]) =>
    GAP +
    Math.max(
      ...headings.map((heading, i) => (items[i].folded ? 0 : heightOf(heading, widthAt(i, grids[i]), textScale))),
    );
  const gridsFor = (side: number, pooled: number, room: number) => {
    const grids: Grid[] = [
      imageGrid(items[0].shape, Math.max(SMALL_IMAGE, Math.min(width / 9, 1.6 * side)), room, scale),
    ];
    for (const [i, { shape, follows }] of items.entries()) {
      if (i === 0) continue;
      const share = isVector(shape) ? 1 : Math.min(1, (FEW_MAPS / shape[2]) ** 0.8) * (follows ? pooled : 1);
      const grid = squareGrid(shape, share * side, room, scale);
      if (grid === null) return null;
      grids.push(follows ? { ...grid, gridColumns: grids[i - 1].gridColumns } : grid);
    }
    return grids;
  };
  const highest = headOf([]);
  for (let k = 0; ; k++) {
    const [side, pooled] = [MAX_SIDE - 2 * Math.floor(k / 2), k % 2 === 0 ? 0.75 : 0.5];
    // Wider maps let headings wrap into fewer lines, and lower headings leave more height for maps.
    const draft = gridsFor(side, pooled, height - highest);
    const head = draft && headOf(draft);
    const grids = head && gridsFor(side, pooled, height - head);
    if (!grids && pooled === 0.75) return null;
    if (!grids) continue;
    const spare = width - grids.reduce((sum, grid, i) => sum + widthAt(i, grid), 0);
    const isTooHigh = (grid: Grid, i: number) => !items[i].folded && canvasSize(grid).height > (height - head) * scale;
    if (spare < BETWEEN * (grids.length - 1) || grids.some(isTooHigh)) continue;
    let left = 0;
    return grids.map((grid, i): Tile => {
      const tile = { left, top: 0, width: widthAt(i, grid), height, head, grid };
      left += tile.width + spare / (grids.length - 1);
      return { ...tile, look: items[i].folded ? 'line' : look };
    });
  }
}

// The items of one depth, which stand in a column.
interface Stack {
  indices: number[];
  lanes: number; // that are in use at this depth
  fixed: number; // width, to which `share` widths of a thumbnail are added
  share: number;
  name: number; // least width of a thumbnail at which the names of this column fit
}
const widthOf = ({ fixed, share }: Stack, unit: number) => fixed + share * unit; // `unit` is the width of a thumbnail

function fitCompact(items: Item[], opened: number, arcs: number, room: Room): Tile[] {
  const lanes = lanesAt(spotsOf(items), items[opened].spot.depth);
  const titleWidth = Math.min(room.width / 2.5, widthOfTitle(items[opened].heading, room.textScale));
  const numStacks = 1 + Math.max(...items.map(({ spot }) => spot.depth));
  for (let count = 1; ; count++) {
    const height = (room.height - (count - 1) * LINE_GAP) / count;
    const isLast = (room.height - count * LINE_GAP) / (count + 1) < MIN_LINE;
    // The opened item is larger than the others, but may take no more than `maxWidth`. Names are upright only if they do not fit
    // beside a smaller opened item either.
    for (const [isUpright, share] of [
      [false, 1],
      [false, 0.7],
      [true, 1],
    ] as const) {
      const maxWidth = (share * room.width) / (count > 1 ? 2.5 : 2.4 + numStacks / 10);
      const head = SHORT * room.textScale * (lanes > 1 || (count > 1 && !isUpright) ? 1.3 : 3.5);
      const open = gridIn(items[opened].shape, maxWidth, (2 * height) / (lanes + 1) - head - arcs, room.scale);
      const stacks = stacksOf(
        items,
        opened,
        Math.max(titleWidth, canvasSize(open).width / open.scale),
        isUpright,
        room,
      );
      const least = isUpright ? MIN_THUMBNAIL : Math.max(...stacks.map(({ name }) => name));
      const fits = (lines: Stack[][]) =>
        lines.length <= count && lines.every((line) => lineWidth(line, unit) <= room.width);
      let unit = MAX_THUMBNAIL;
      while (unit > 1 && !fits(splitLines(stacks, unit, room.width))) unit -= 0.5;
      if (unit < least && !(isUpright && isLast)) continue;
      return splitLines(stacks, unit, room.width)
        .flatMap((line, number) => {
          const top = number * (height + LINE_GAP);
          return placeLine(items, opened, line, { unit, top, height, arcs, isUpright, isOnly: count === 1 }, room);
        })
        .sort((a, b) => a.index - b.index);
    }
  }
}

const spotsOf = (items: Item[]) => items.map(({ spot }) => spot);
const nameWidth = ({ heading }: Item, { textScale }: Room) => shortWidth(heading.short, textScale) - OVERHANG;

function stacksOf(items: Item[], opened: number, openWidth: number, isUpright: boolean, room: Room): Stack[] {
  const spots = spotsOf(items);
  const stacks: Stack[] = [];
  items.forEach(({ spot, folded, shape }, i) => {
    const stack = (stacks[spot.depth] ??= {
      indices: [],
      lanes: lanesAt(spots, spot.depth),
      fixed: 0,
      share: 0,
      name: 0,
    });
    stack.indices.push(i);
    if (i === opened) stack.fixed = openWidth;
    else if (folded) stack.fixed = Math.max(stack.fixed, FOLDED);
    else if (isVector(shape) && !isUpright) stack.fixed = Math.max(stack.fixed, nameWidth(items[i], room) + OVERHANG);
    else {
      stack.share = Math.max(stack.share, i > 0 ? (isVector(shape) ? 0.9 : 1) : shape[2] === 3 ? 0.8 : 1.3);
      stack.name = Math.max(stack.name, nameWidth(items[i], room) / stack.share);
    }
  });
  for (const stack of stacks) if (stack.indices.includes(opened)) stack.share = stack.name = 0;
  return stacks;
}

// Splits the columns into lines, as text is, but not where several lanes would be cut.
function splitLines(stacks: Stack[], unit: number, width: number): Stack[][] {
  const lines: Stack[][] = [];
  for (let i = 0, end = 0; i < stacks.length; i = end) {
    do end++;
    while (end < stacks.length && stacks[end - 1].lanes > 1);
    const run = stacks.slice(i, end);
    const last = lines.at(-1);
    if (last !== undefined && lineWidth([...last, ...run], unit) <= width) last.push(...run);
    else lines.push(run);
  }
  return lines;
}

const gapOf = (unit: number) => Math.min(BETWEEN, unit / 2);
const lineWidth = (line: Stack[], unit: number) =>
  line.reduce((sum, stack) => sum + widthOf(stack, unit), 0) + (line.length - 1) * gapOf(unit);

type Line = { unit: number; top: number; height: number; arcs: number; isUpright: boolean; isOnly: boolean };

// Places the items of a line. A lane takes an equal part of the height, and that of the opened item twice as much.
function placeLine(
  items: Item[],
  opened: number,
  stacks: Stack[],
  line: Line,
  room: Room,
): (Tile & { index: number })[] {
  const { textScale, width, scale } = room;
  const { spot } = items[opened];
  const wideLane = lanesAt(spotsOf(items), spot.depth) > 1 ? spot.lane : Infinity;
  const sum = (of: (stack: Stack) => number) => stacks.reduce((total, stack) => total + of(stack), 0);
  const free = width - sum(({ fixed }) => fixed) - (stacks.length - 1) * gapOf(line.unit);
  const shares = Math.max(
    0.1,
    sum(({ share }) => share),
  );
  const unit = Math.max(line.unit, Math.min(1.4 * line.unit, free / shares));
  // The opened item has its title and facts, if these leave half of the height.
  const open = stacks.find(({ indices, lanes }) => lanes === 1 && indices.includes(opened));
  const factsHeight = open ? heightOf(items[opened].heading, widthOf(open, unit), textScale) : Infinity;
  const openHead = (line.isOnly || line.isUpright) && factsHeight < line.height / 2 ? factsHeight : 0;
  const uprights = stacks.flatMap(({ indices, lanes }) => (lanes > 1 ? [] : indices.filter((i) => !items[i].folded)));
  const isNamed = !line.isUpright || unit > MIN_NAMED; // or else names would overlap
  const names = !isNamed
    ? 0
    : line.isUpright
      ? Math.max(0, ...uprights.map((i) => uprightHeight(items[i].heading.short, textScale)))
      : SHORT * textScale;
  let left = 0;
  return stacks.flatMap((stack) => {
    const stackWidth = widthOf(stack, unit);
    const tiles = stack.indices.map((index) => {
      const { lane } = items[index].spot;
      const part = line.height / (stack.lanes + (wideLane < stack.lanes ? 1 : 0));
      const top = line.top + part * (lane + (lane > wideLane ? 1 : 0));
      const height = part * (lane === wideLane ? 2 : 1) - (stack.lanes > 1 ? LANE_GAP : line.arcs);
      const fits = nameWidth(items[index], room) <= stackWidth && height > 2 * SHORT;
      let look: Tile['look'] = fits ? 'short' : 'hidden';
      if (stack.lanes === 1)
        look = index === opened && openHead > 0 ? 'facts' : !isNamed ? 'hidden' : line.isUpright ? 'upright' : 'short';
      if (items[index].folded) look = 'line';
      const head = stack.lanes === 1 ? Math.max(names, openHead) + 6 : fits ? SHORT * textScale : 0;
      const fill = index === 0 ? imageGrid : index === opened ? gridIn : thumbnail;
      const grid = fill(items[index].shape, stackWidth, height - head, scale);
      return { index, left, top, width: stackWidth, height, head, look, grid };
    });
    left += stackWidth + gapOf(line.unit);
    return tiles;
  });
}
