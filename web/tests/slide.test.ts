// The window that slides over a map.
import { expect, test } from 'vitest';
import { Slide } from '../src/bench/lens/slide.svelte';

test('moves by one cell at each step, and from the last to the first', () => {
  const slide = new Slide();
  const positions = Array.from({ length: 4 }, () => {
    slide.step(3);
    return slide.position;
  });
  expect(positions).toEqual([0, 1, 2, 0]);
});

test('plays from where it is, stops at the last cell, and starts again there', () => {
  const slide = new Slide();
  slide.step(10);
  slide.step(10);
  slide.play(10);
  expect(slide).toMatchObject({ playing: true, position: 1 });
  slide.advance(4, 10);
  expect(slide).toMatchObject({ playing: true, position: 5 });
  slide.advance(100, 10);
  expect(slide).toMatchObject({ playing: false, position: 9 });
  slide.play(10);
  expect(slide).toMatchObject({ playing: true, position: 0 });
  slide.stop();
  expect(slide).toMatchObject({ playing: false, position: null });
});
