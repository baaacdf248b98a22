// The choice of test images by class, prediction and result.
import { expect, test } from 'vitest';
import { EVERY_IMAGE, filterPositions } from '../src/bench/input/picker_filter';

const labels = [3, 5, 3, 8, 5];
const predictions = [3, 3, 8, 8, 5];

test.each([
  [{}, [0, 1, 2, 3, 4]],
  [{ label: 3 }, [0, 2]],
  [{ prediction: 3 }, [0, 1]],
  [{ outcome: 'correct' as const }, [0, 3, 4]],
  [{ outcome: 'wrong' as const }, [1, 2]],
  [{ label: 5, prediction: 3 }, [1]],
  [{ label: 5, prediction: 3, outcome: 'correct' as const }, []],
  [{ label: 0 }, []],
])('%j lets images %j through', (change, positions) => {
  expect(filterPositions(labels, predictions, { ...EVERY_IMAGE, ...change })).toEqual(positions);
});
