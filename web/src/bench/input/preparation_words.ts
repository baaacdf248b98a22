// What the steps of preparing a picture are called, and what is said about them.
import type { Hint } from '../../handwriting/hints';
import type { Stage } from '../../handwriting/prepare';
import type { Handwriting, StepName } from '../../handwriting/recipe';

type Shape = readonly [height: number, width: number, channels: number];

export const STAGE_NAMES: Record<Stage['name'], string> = {
  picture: 'Picture',
  polarity: 'Polarity',
  light: 'Light',
  ink: 'Ink',
  specks: 'Specks',
  deslant: 'Deslant',
  crop: 'Crop',
  scale: 'Scale',
  contrast: 'Contrast',
  centre: 'Centre',
};

export function explain(stage: Stage, handwriting: Handwriting, [height, width, channels]: Shape): string {
  const { ink, target, threshold } = handwriting;
  const image = `${height} × ${width}`;
  const percent = `${Math.round(100 * threshold)} %`;
  const made: Record<Stage['name'], string> = {
    picture: `The drawing or picture in ${channels < 3 ? 'grey' : 'colour'}, reduced to at most ten times the size of the input.`,
    polarity: `The picture is inverted unless its ink is ${ink}, as in the data set.`,
    light: `Shadows and uneven light are removed. The background becomes exactly ${ink === 'light' ? 'black' : 'white'}.`,
    ink: 'Only ink is kept. Noise, grain and ruled lines become background.',
    specks: 'Pieces with less than 5 % of the ink of the largest piece are removed.',
    deslant: 'Rows are shifted sideways until the writing is upright.',
    crop: `Only the box around the ink is kept. Ink is anything above ${percent} of the maximum.`,
    scale: `The longer side becomes ${target} pixels. Each pixel is the mean of the area that it covers.`,
    contrast: 'The strongest ink is set to full intensity, because averaging makes thin lines pale.',
    centre: `The centre of mass is moved to the centre of ${image}, by whole pixels. This is the input of the network.`,
  };
  const left: Partial<Record<Stage['name'], string>> = {
    polarity: 'The picture is not inverted.',
    light: 'Shadows and uneven light are kept.',
    ink: 'Noise, grain and ruled lines are kept.',
    specks: 'Small pieces are kept and may be mistaken for writing.',
    deslant: 'The slant is kept, as in the data set. Switch this on for strongly slanted writing.',
    crop: 'The margins are kept.',
    scale: `The picture is scaled to fit ${image}.`,
    contrast: 'The intensity of the ink is not changed.',
    centre: `The picture is placed in the centre of ${image}. This is the input of the network.`,
  };
  return stage.on ? made[stage.name] : `Off. ${left[stage.name]}`;
}

// What stands in `backticks` is code.
export function adviceOn(hints: readonly Hint[], clipped: number, on: ReadonlySet<StepName>, ink: string): string[] {
  const other = ink === 'light' ? 'dark ink on a light background' : 'light ink on a dark background';
  const texts: Record<Hint, string> = {
    empty: 'The picture contains no ink yet.',
    inverted: `This is ${other}, the opposite of the data set${on.has('polarity') ? '; Polarity inverts it.' : ', and Polarity is off.'}`,
    tiny: `The writing is very small${on.has('crop') && on.has('scale') ? '; Crop and Scale enlarge it, but few details remain.' : ', and it is not enlarged while Crop or Scale is off.'}`,
    'off-centre': `The writing is off centre${on.has('crop') || on.has('centre') ? ' and is moved to the centre.' : ' and is not moved while Crop and Centre are off.'}`,
    several:
      'The picture seems to contain several characters, but the page classifies one at a time. To read a whole number, run `convscope predict --strings`.',
  };
  const advice = hints.map((hint) => texts[hint]);
  if (clipped > 0) advice.push(`${(100 * clipped).toFixed(1)} % of the ink is outside the image.`);
  return advice;
}
