// The size of text in a presentation.
import { expect, test } from 'vitest';

test('the text of a presentation grows with the tighter side of the screen', async () => {
  Object.assign(globalThis, { document: { documentElement: {} } });
  const { scaleFor } = await import('../src/ui/presentation.svelte');
  // 1.35 at 1920 x 1080, in proportion to the tighter side, and never below 1.1.
  expect(scaleFor(1920, 1080)).toBe(1.35);
  expect(scaleFor(3840, 2160)).toBe(2.7);
  expect(scaleFor(3840, 1080)).toBe(1.35);
  expect(scaleFor(800, 600)).toBe(1.1);
});
