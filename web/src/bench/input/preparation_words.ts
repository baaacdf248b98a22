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
    picture: `What was drawn or opened, in ${channels < 3 ? 'grey' : 'colours'}, at most ten times as long as the image.`,
    polarity: `The picture is turned into its negative if its ink is not ${ink}, as the data set’s is.`,
    light: `Shadows and uneven light are divided out; the ground becomes exactly ${ink === 'light' ? 'black' : 'white'}.`,
    ink: 'Ink alone is kept; noise, grain and the lines of ruled paper become ground.',
    specks: 'Pieces with less than a twentieth of the largest one’s ink become ground.',
    deslant: 'The rows are moved sideways until the writing stands upright.',
    crop: `Only the box around the ink is kept: all that is stronger than ${percent} of the strongest.`,
    scale: `The longer side becomes ${target} pixels, each the mean of what lies under it.`,
    contrast: 'The strongest ink becomes full, since thin lines grow pale when they are averaged.',
    centre: `A shift by whole pixels brings the centre of mass to the middle of ${image}; this is what the network sees.`,
  };
  const left: Partial<Record<Stage['name'], string>> = {
    polarity: 'Light and dark stay as they are in the picture.',
    light: 'Shadows and uneven light stay.',
    ink: 'Noise, grain and ruled lines stay.',
    specks: 'Small pieces stay, and may be taken for writing.',
    deslant: 'The writing slants as it was written, as the data set’s does; switch it on for writing that leans far.',
    crop: 'The margins stay.',
    scale: `The picture becomes as large as ${image} holds.`,
    contrast: 'Ink stays as pale as averaging made it.',
    centre: `The picture lies in the middle of ${image}; this is what the network sees.`,
  };
  return stage.on ? made[stage.name] : `Off. ${left[stage.name]}`;
}

// What stands in `backticks` is code.
export function adviceOn(hints: readonly Hint[], clipped: number, on: ReadonlySet<StepName>, ink: string): string[] {
  const other = ink === 'light' ? 'dark ink on a light ground' : 'light ink on a dark ground';
  const texts: Record<Hint, string> = {
    empty: 'There is no ink on the picture yet.',
    inverted: `This is ${other}, the reverse of the data set${on.has('polarity') ? '; Polarity turns it round.' : ', and Polarity is off.'}`,
    tiny: `The ink is tiny${on.has('crop') && on.has('scale') ? '; Crop and Scale enlarge it, but it has few details.' : ', and not enlarged while Crop or Scale is off.'}`,
    'off-centre': `The ink is off the centre${on.has('crop') || on.has('centre') ? ', and is moved to the middle.' : ', and is not moved while Crop and Centre are off.'}`,
    several:
      'There are several things on it, and the page reads one at a time. The digits of a number are read by `convscope predict` with `--strings`.',
  };
  const advice = hints.map((hint) => texts[hint]);
  if (clipped > 0) advice.push(`${(100 * clipped).toFixed(1)} % of the ink lies outside of the image.`);
  return advice;
}
