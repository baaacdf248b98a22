// From a drawing or a photo to the pixels that the network sees, with the picture after each step: the same as
// `prepare` of src/convscope/data/handwriting/prepare.py, pixel for pixel; what each step is for is said there.
import { centredCorner, cropped, middleCorner, placed, scaled, stretched } from './fitting';
import { hintsOf, type Hint } from './hints';
import { parted, withoutSpecks } from './ink';
import { evenLight, hasLightGround, turned } from './light';
import { border, FAINTEST, inColours, median, reduced, strongest, type Picture } from './picture';
import { defaultSteps, type Handwriting, type StepName } from './recipe';
import { deslanted } from './slant';

export interface Stage {
  name: 'picture' | StepName;
  on: boolean;
  picture: Picture;
}

export interface Prepared {
  image: Uint8Array; // (H, W, C): what the network sees
  stages: Stage[]; // the picture as it was given, in the colours that the network has, then after each step
  hints: Hint[]; // what may be wrong with the picture, whether a step mends it or not
  clipped: number; // share of the ink that centring moved out of the image
}

export const LARGEST_FACTOR = 10; // a picture is averaged down to so many times the longer side of the image

const CLEANING = ['polarity', 'light', 'ink', 'specks'] as const;

export function prepare(
  given: Picture,
  [height, width, channels]: readonly [height: number, width: number, channels: number],
  handwriting: Handwriting,
  steps: Iterable<StepName> = defaultSteps(handwriting),
): Prepared {
  const chosen = new Set(steps);
  const { ink, threshold, target } = handwriting;
  let picture = inColours(reduced(given, LARGEST_FACTOR * Math.max(height, width)), channels < 3 ? 1 : 3);
  const lightGround = hasLightGround(picture);
  const taken = cleaned(picture, lightGround, handwriting, chosen);
  let hints: Hint[] = [];
  if (handwriting.centre) {
    const isClean = CLEANING.every((step) => chosen.has(step));
    const clean = isClean ? taken : cleaned(picture, lightGround, handwriting, new Set<StepName>(CLEANING));
    hints = hintsOf(clean.at(-1)!.picture, lightGround, handwriting);
  } // of other pictures nothing can be said
  const stages: Stage[] = [{ name: 'picture', on: true, picture }, ...taken];
  const reach = (name: StepName) => stages.push({ name, on: chosen.has(name), picture });

  picture = taken.at(-1)!.picture;
  const around = border(picture).map(median);
  const hasInk = strongest(picture, ink) >= FAINTEST;
  if (chosen.has('deslant') && hasInk) picture = deslanted(picture, ink);
  reach('deslant');
  if (chosen.has('crop') && hasInk) picture = cropped(picture, ink, threshold);
  reach('crop');
  picture = scaled(picture, height, width, chosen.has('scale') ? target : null);
  reach('scale');
  if (chosen.has('contrast') && hasInk) picture = stretched(picture, ink);
  reach('contrast');
  const corner =
    chosen.has('centre') && hasInk ? centredCorner(picture, ink, height, width) : middleCorner(picture, height, width);
  const { image, clipped } = placed(picture, corner, height, width, around, ink);
  picture = image;
  reach('centre');
  return { image: withAlpha(picture, channels), stages, hints, clipped };
}

// The picture after each of the steps that leave ink alone on an even ground.
function cleaned(given: Picture, lightGround: boolean, { ink }: Handwriting, chosen: ReadonlySet<StepName>): Stage[] {
  let picture = given;
  return CLEANING.map((name) => {
    const on = chosen.has(name);
    if (on) {
      if (name === 'polarity') picture = turned(picture, lightGround, ink);
      else if (name === 'light') picture = evenLight(picture, ink);
      else if (name === 'ink') picture = parted(picture, ink);
      else picture = withoutSpecks(picture, ink);
    }
    return { name, on, picture };
  });
}

// With 2 or 4 channels the last is opaque alpha.
function withAlpha(image: Picture, channels: number): Uint8Array {
  if (image.channels === channels) return image.pixels;
  const pixels = new Uint8Array(image.height * image.width * channels).fill(255);
  for (let i = 0; i < image.pixels.length; i++) {
    pixels[Math.floor(i / image.channels) * channels + (i % image.channels)] = image.pixels[i];
  }
  return pixels;
}
