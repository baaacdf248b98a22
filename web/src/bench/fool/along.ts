// Makes what Fool.svelte draws: probabilities along a change of an image as lines, and the change as a map.
import { listed, number, say } from '../../text/say.svelte';
import type { Along } from '../../analysis/fool';
import type { Series } from '../../charts/series';
import type { Images } from '../../state/models';

const MIN_PEAK = 0.2; // a class is drawn if its probability reaches this anywhere
const MAX_CLASSES = 4; // that are drawn, unless more of them are an answer

// Makes a line for each of the classes `always`, for each class that is the answer anywhere, and for other likely classes.
export function classesAlong(
  { shares, probabilities, predictions }: Along,
  names: string[],
  always: number[],
): Series[] {
  const peak = (k: number) => Math.max(...probabilities.map((values) => values[k]));
  const likely = Array.from(names, (_, k) => k)
    .filter((k) => !always.includes(k) && peak(k) >= MIN_PEAK)
    .sort((a, b) => peak(b) - peak(a));
  const answers = new Set([...always, ...predictions]);
  const drawn = [...new Set([...answers, ...likely])].slice(0, Math.max(MAX_CLASSES, answers.size));
  return drawn.map((k) => ({
    name: names[k],
    points: shares.map((share, i): [number, number] => [share, probabilities[i][k]]),
  }));
}

// Lists the answers in their order, each with the share from which it is given: 7 from 0, 8 from 1, 3 from 1.19.
export function answersAlong({ shares, predictions }: Along, names: string[]): string {
  const texts = shares.map((share, i) =>
    say('fool.answerFrom', { name: names[predictions[i]], share: number(share, 2, 0) }),
  );
  return listed(texts.filter((_, i) => predictions[i] !== predictions[i - 1]));
}

// Computes each pixel's signed change in its strongest channel, (H, W), and the largest absolute change, at least 1.
export function signedMap(from: Uint8Array, to: Uint8Array, channels: number): [Float32Array, number] {
  const map = new Float32Array(from.length / channels);
  let largest = 1; // so that a change of zero has a scale too
  for (let i = 0; i < from.length; i++) {
    const value = to[i] - from[i];
    const pixel = Math.floor(i / channels);
    if (Math.abs(value) > Math.abs(map[pixel])) map[pixel] = value;
    largest = Math.max(largest, Math.abs(value));
  }
  return [map, largest];
}

// Finds the first embedded image of a class, other than `except`; null if there is none.
export function firstOfClass(images: Pick<Images, 'labels' | 'count'>, label: number, except: number): number | null {
  for (let i = 0; i < images.count; i++) if (images.labels[i] === label && i !== except) return i;
  return null;
}
