// The meanings of colours: held or clickable, signed values, and mistakes never share a hue, in any theme.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { rgbOf } from '../src/ui/colour';
import { grey } from '../src/ui/palettes';

const css = readFileSync(join(import.meta.dirname, '../../src/convscope/report/page.css'), 'utf8');
const THEMES = [...css.matchAll(/--paper: .*?--against: #\w{6};/g)].map(([text]) =>
  Object.fromEntries([...text.matchAll(/--([\w-]+): (#\w{6})/g)].map(([, name, value]) => [name, value])),
);
const HELD = /--held: (#\w{6});/.exec(css)![1];
const MIN_HUE_DISTANCE = 25; // degrees between the hues of two roles

function hueOf(colour: string): number {
  const [r, g, b] = rgbOf(colour);
  const [largest, least] = [Math.max(r, g, b), Math.min(r, g, b)];
  const part =
    largest === r
      ? ((g - b) / (largest - least)) % 6
      : largest === g
        ? (b - r) / (largest - least) + 2
        : (r - g) / (largest - least) + 4;
  return (60 * part + 360) % 360;
}

function hueDistance(a: string, b: string): number {
  const difference = Math.abs(hueOf(a) - hueOf(b));
  return Math.min(difference, 360 - difference);
}

describe('colours', () => {
  test('the style sheet has its themes', () => expect(THEMES).toHaveLength(5));

  test.each(THEMES.map((theme, i) => [i, theme] as const))('theme %i keeps the roles apart', (_, theme) => {
    for (const held of [theme.accent, HELD]) {
      for (const role of ['for', 'against', 'wrong', 'right']) {
        expect(hueDistance(held, theme[role]), `${held}, ${role}`).toBeGreaterThanOrEqual(MIN_HUE_DISTANCE);
      }
    }
    expect(hueDistance(theme.wrong, theme.against)).toBeGreaterThanOrEqual(MIN_HUE_DISTANCE);
    expect(theme.wrong).not.toBe(theme.for);
  });

  // The red of a confusion matrix must differ from the colour of positive weights. Source of the hue: `convscope/base/palette.py`.
  test('mistakes differ from signed values', () => {
    const red = `#${/--red: ([\d ]+);/
      .exec(css)![1]
      .split(' ')
      .map((part) => Number(part).toString(16).padStart(2, '0'))
      .join('')}`;
    for (const theme of THEMES) {
      for (const role of ['for', 'against', 'right'])
        expect(hueDistance(red, theme[role]), role).toBeGreaterThanOrEqual(MIN_HUE_DISTANCE);
    }
  });

  test('images are grey', () => {
    for (let i = 0; i < grey.length; i += 4) expect(new Set(grey.slice(i, i + 3)).size).toBe(1);
  });
});
