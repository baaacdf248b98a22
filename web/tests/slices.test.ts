// Long work in slices, between which the page can react.
import { expect, test } from 'vitest';
import { inPieces, inSlices, scaleProgress, type Work } from '../src/analysis/slices';
import { atOnce } from './at_once';

function* counting(to: number, freed: { value: boolean }): Work<number> {
  try {
    for (let i = 0; i < to; i++) {
      const end = performance.now() + 0.2;
      while (performance.now() < end);
      yield i / to;
    }
    return to;
  } finally {
    freed.value = true;
  }
}

test('work in slices ends, reports growing progress and lets other tasks run between slices', async () => {
  let others = 0;
  const timer = setInterval(() => others++, 1);
  const seen: number[] = [];
  const freed = { value: false };
  const result = await inSlices(counting(200, freed), new AbortController().signal, (done) => seen.push(done));
  clearInterval(timer);
  expect(result).toBe(200);
  expect(freed.value).toBe(true);
  expect(others).toBeGreaterThan(0);
  expect(seen.length).toBeGreaterThan(1);
  expect([...seen].sort((a, b) => a - b)).toEqual(seen);
});

test('stopped work cleans up', async () => {
  const abort = new AbortController();
  const freed = { value: false };
  const run = inSlices(counting(1e6, freed), abort.signal, () => abort.abort(new Error('enough')));
  await expect(run).rejects.toThrow('enough');
  expect(freed.value).toBe(true);
});

test('pieces cover every item once, in order', () => {
  const covered: number[] = [];
  atOnce(
    inPieces(1000, (from, to) => {
      for (let i = from; i < to; i++) covered.push(i);
    }),
  );
  expect(covered).toEqual(Array.from({ length: 1000 }, (_, i) => i));
});

test('a part of a work that is aborted cleans up', () => {
  let isClean = false;
  const part = (function* (): Work<void> {
    try {
      for (;;) yield 0;
    } finally {
      isClean = true;
    }
  })();
  const whole = scaleProgress(part, 0, 1);
  whole.next();
  whole.return();
  expect(isClean).toBe(true);
});

test('the progress of a part is scaled to its range', () => {
  const halves: number[] = [];
  const work = scaleProgress(
    (function* (): Work<string> {
      yield 0;
      yield 0.5;
      return 'done';
    })(),
    0.5,
    1,
  );
  let step = work.next();
  for (; !step.done; step = work.next()) halves.push(step.value);
  expect(halves).toEqual([0.5, 0.75]);
  expect(step.value).toBe('done');
});
