// Pictures made by integer arithmetic, and digests of their preparation: the same as tests/generated_pictures.py.
import { createHash } from 'node:crypto';
import type { Picture } from '../src/handwriting/picture';
import type { Prepared } from '../src/handwriting/prepare';
import { STEPS, type Handwriting, type StepName } from '../src/handwriting/recipe';

interface Generated {
  picture: Picture;
  shape: [height: number, width: number, channels: number];
  handwriting: Handwriting;
  steps: StepName[] | undefined;
}

// Mixes the bits of a key to a 32-bit number, as the file in Python does.
function mix(key: number): number {
  let mixed = Math.imul(key, 0x9e3779b1);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}

// Makes picture `number`: boxes on a brightness gradient, with a shadow and noise. Every choice is a number drawn by its slot.
export function generate(number: number): Generated {
  const first = number * 2 ** 20;
  const draw = (slot: number, below: number) => mix(first + 2 ** 19 + slot) % below;
  const [height, width, channels] = [1 + draw(0, 160), 1 + draw(1, 160), 1 + 2 * draw(2, 2)];
  const [ground, down, right] = [draw(3, 256), draw(4, 7) - 3, draw(5, 7) - 3];
  const boxes = Array.from({ length: draw(6, 4) }, (_, i) => {
    const slot = 20 + 5 * i;
    const [top, left] = [draw(slot, height), draw(slot + 1, width)];
    const [bottom, right] = [top + 1 + draw(slot + 2, height), left + 1 + draw(slot + 3, 1 + Math.floor(width / 4))];
    return { top, left, bottom, right, level: draw(slot + 4, 256) };
  });
  const shadow = draw(7, 3) === 0 ? draw(8, width) : width;
  const noise = [1, 4, 20, 256][draw(9, 4)];
  const pixels = new Uint8ClampedArray(height * width * channels).map((_, i) => {
    const [row, column, c] = [Math.floor(i / (width * channels)), Math.floor(i / channels) % width, i % channels];
    let value = ground + Math.floor((down * row + right * column) / 4) + 10 * c;
    for (const { top, left, bottom, right, level } of boxes) {
      if (row >= top && row < bottom && column >= left && column < right) value = level;
    }
    if (column >= shadow) value = Math.floor(value / 2);
    return value + (mix(first + i) % noise);
  });
  const bits = draw(18, 512);
  return {
    picture: { pixels: new Uint8Array(pixels), height, width, channels },
    shape: [4 + draw(10, 29), 4 + draw(11, 29), 1 + draw(12, 4)],
    handwriting: {
      ink: (['light', 'dark'] as const)[draw(13, 2)],
      target: 1 + draw(14, 28),
      threshold: draw(15, 10) / 10,
      centre: draw(16, 4) > 0,
    },
    steps: draw(17, 3) === 0 ? undefined : STEPS.filter((_, i) => (bits >> i) & 1),
  };
}

export function digest({ stages, image, hints, clipped }: Prepared): string {
  const whole = createHash('sha256');
  for (const { name, on, picture } of stages) {
    const { height, width, channels, pixels } = picture;
    whole.update([name, Number(on), height, width, channels].join(' ')).update(pixels);
  }
  return whole.update(image).update(hints.join(' ')).update(Float64Array.of(clipped)).digest('hex');
}
