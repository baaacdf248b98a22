// Draws the strokes of a pen without a canvas, so that the picture is the same in every browser and in tests.
import type { Picture, Size } from './picture';

interface Box {
  top: number;
  bottom: number; // exclusive
  left: number;
  right: number; // exclusive
}

export interface Stroke {
  width: number; // width of the pen, as a share of the pad's shorter side
  points: [x: number, y: number][]; // from 0 to 1 across the pad
}

export const PEN = 0.08; // width: a digit that fills the pad, reduced to a height of 20 pixels, has strokes like MNIST's
export const GRID = 1023; // points lie on a grid with this many steps, so that strokes fit into an address
const PIXELS = 10; // pixels of the drawing for each pixel of the image
const LONGEST = 560; // pixels of a drawing at most: images of more than 56 pixels have fewer than PIXELS for each of theirs

// Computes the size of the drawing for images of this size.
export function drawingSize([height, width]: Size): Size {
  const factor = Math.max(1, Math.min(PIXELS, Math.floor(LONGEST / Math.max(height, width))));
  return [factor * height, factor * width];
}

// A drawing of strokes.
export class Raster {
  readonly height: number;
  readonly width: number;
  readonly pixels: Uint8Array; // (height, width): 0 background, 255 ink
  #strokes: Stroke[] = [];

  constructor([height, width]: Size) {
    this.height = height;
    this.width = width;
    this.pixels = new Uint8Array(height * width);
  }

  // Draws only the new part of the strokes, or everything if they do not continue the drawing. The new part of a stroke
  // begins at its last drawn point. Returns the box of changed pixels, or null.
  update(strokes: readonly Stroke[]): Box | null {
    const known = this.#strokes;
    const isContinued = known.length <= strokes.length && known.every((stroke, i) => continues(strokes[i], stroke));
    let box: Box | null = null;
    if (!isContinued) {
      this.pixels.fill(0);
      box = { top: 0, bottom: this.height, left: 0, right: this.width };
    }
    strokes.forEach((stroke, i) => {
      const drawn = isContinued && i < known.length ? known[i].points.length : 0;
      if (stroke.points.length > drawn) box = union(box, this.#draw(stroke, Math.max(0, drawn - 1)));
    });
    this.#strokes = strokes.map(({ width, points }) => ({ width, points: points.slice() }));
    return box;
  }

  // Copies the drawing as a picture in the polarity of the data set.
  picture(ink: 'light' | 'dark'): Picture {
    const { height, width } = this;
    const pixels = ink === 'light' ? this.pixels.slice() : this.pixels.map((value) => 255 - value);
    return { pixels, height, width, channels: 1 };
  }

  // Draws a stroke from one of its points to its end. A stroke of one point is a dot: a line from the point to itself.
  #draw(stroke: Stroke, from: number): Box | null {
    const radius = (stroke.width * Math.min(this.height, this.width)) / 2;
    const { points } = stroke;
    let box: Box | null = null;
    for (let i = from; i < Math.max(points.length - 1, from + 1); i++) {
      const [x0, y0] = points[i];
      const [x1, y1] = points[Math.min(i + 1, points.length - 1)];
      box = union(box, this.#segment(x0 * this.width, y0 * this.height, x1 * this.width, y1 * this.height, radius));
    }
    return box;
  }

  // Draws a line with round ends. How much it covers of a pixel follows from its distance to the pixel's centre.
  #segment(x0: number, y0: number, x1: number, y1: number, radius: number): Box {
    const reach = radius + 1;
    const box = {
      top: Math.max(0, Math.floor(Math.min(y0, y1) - reach)),
      bottom: Math.min(this.height, Math.ceil(Math.max(y0, y1) + reach)),
      left: Math.max(0, Math.floor(Math.min(x0, x1) - reach)),
      right: Math.min(this.width, Math.ceil(Math.max(x0, x1) + reach)),
    };
    const [dx, dy] = [x1 - x0, y1 - y0];
    const square = dx * dx + dy * dy;
    for (let row = box.top; row < box.bottom; row++) {
      const y = row + 0.5 - y0;
      for (let column = box.left; column < box.right; column++) {
        const x = column + 0.5 - x0;
        // The nearest point of the line is at this share of it: the projection, cut to the ends.
        const along = square > 0 ? Math.max(0, Math.min(1, (x * dx + y * dy) / square)) : 0;
        const [offX, offY] = [x - along * dx, y - along * dy];
        const cover = radius + 0.5 - Math.sqrt(offX * offX + offY * offY);
        if (cover <= 0) continue;
        const value = cover >= 1 ? 255 : Math.floor(255 * cover + 0.5);
        const index = row * this.width + column;
        if (value > this.pixels[index]) this.pixels[index] = value;
      }
    }
    return box;
  }
}

function continues(stroke: Stroke, known: Stroke): boolean {
  return (
    stroke.width === known.width &&
    stroke.points.length >= known.points.length &&
    known.points.every(([x, y], i) => stroke.points[i][0] === x && stroke.points[i][1] === y)
  );
}

function union(a: Box | null, b: Box | null): Box | null {
  if (a === null || b === null) return a ?? b;
  return {
    top: Math.min(a.top, b.top),
    bottom: Math.max(a.bottom, b.bottom),
    left: Math.min(a.left, b.left),
    right: Math.max(a.right, b.right),
  };
}
