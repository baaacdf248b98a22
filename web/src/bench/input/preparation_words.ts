// The texts about the preparation of a picture: what each step does to it, and advice about its problems.
import type { Hint, Stage } from '../../handwriting/prepare';
import type { Handwriting, StepName } from '../../handwriting/recipe';
import { say } from '../../text/say.svelte';
import { percentText } from '../parts/figures';

type Shape = readonly [height: number, width: number, channels: number];

// Says what a step did to the picture, or does not do if it is off. The first stage is the picture before any step.
// Only some sentences name the input's size (`image`), the side of the writing (`n`) or what counts as ink (`share`).
export function explain(stage: Stage, handwriting: Handwriting, [height, width, channels]: Shape): string {
  const { ink, target, threshold } = handwriting;
  const isLight = ink === 'light';
  const image = `${height} × ${width}`;
  const { name } = stage;
  if (name === 'picture') return say(channels < 3 ? 'input.on.pictureGrey' : 'input.on.pictureColour');
  if (!stage.on) return say(`input.off.${name}`, { image });
  if (name === 'polarity') return say(isLight ? 'input.on.polarityLight' : 'input.on.polarityDark');
  if (name === 'light') return say(isLight ? 'input.on.lightBlack' : 'input.on.lightWhite');
  return say(`input.on.${name}`, { image, n: target, share: percentText(threshold, 0) });
}

// Writes a short sentence for each problem of a picture, the most important first, depending on which steps are on.
export function adviceOn(hints: readonly Hint[], clipped: number, on: ReadonlySet<StepName>, ink: string): string[] {
  const inverts = on.has('polarity');
  const isEnlarged = on.has('crop') && on.has('scale');
  const isMoved = on.has('crop') || on.has('centre');
  const texts: Record<Hint, () => string> = {
    empty: () => say('input.advice.empty'),
    inverted: () =>
      ink === 'light'
        ? say(inverts ? 'input.advice.darkInverted' : 'input.advice.darkKept')
        : say(inverts ? 'input.advice.lightInverted' : 'input.advice.lightKept'),
    tiny: () => say(isEnlarged ? 'input.advice.tinyEnlarged' : 'input.advice.tinyKept'),
    'off-centre': () => say(isMoved ? 'input.advice.movedToCentre' : 'input.advice.notMoved'),
    several: () => say('input.advice.several'),
  };
  const advice = hints.map((hint) => texts[hint]()).reverse(); // several characters are worse than one off centre
  if (clipped > 0) advice.unshift(say('input.advice.clipped', { share: percentText(clipped, 1) }));
  return advice;
}
