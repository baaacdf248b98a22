// The words by which the lens explains a layer.
import { expect, test } from 'vitest';
import { explanationOf } from '../src/bench/lens/words';
import { ACTIVATIONS } from '../src/engine/activations';
import { layerTable } from '../src/engine/architecture';
import type { Architecture } from '../src/engine/types';

const ARCHITECTURE: Architecture = {
  name: 'pooled',
  input: { height: 8, width: 8, channels: 1, scale: 1 / 255, offset: 0 },
  layers: [
    { name: 'conv2d', kind: 'Conv2D', filters: 2, kernel_size: [3, 3], activation: 'relu' },
    { name: 'max_pooling2d', kind: 'MaxPooling2D', pool_size: [2, 2] },
    { name: 'average_pooling2d', kind: 'AveragePooling2D', pool_size: [3, 3] },
    { name: 'flatten', kind: 'Flatten' },
    { name: 'dense', kind: 'Dense', units: 3, activation: 'softmax' },
  ],
};

test('dilation and groups are explained', () => {
  const [wide, apart] = layerTable({
    ...ARCHITECTURE,
    layers: [
      { name: 'wide', kind: 'Conv2D', filters: 4, dilation_rate: [2, 3] },
      { name: 'apart', kind: 'Conv2D', filters: 4, kernel_size: [1, 1], groups: 2 },
      { name: 'flatten', kind: 'Flatten' },
      { name: 'dense', kind: 'Dense', units: 3 },
    ],
  }).map((row, i) => explanationOf(row, i === 0, ARCHITECTURE.input));
  expect(wide).toMatch(/slides over the image. The pixels that it reads lie 2 × 3 apart\. At each place/);
  expect(apart).toMatch(/2 kernels.*slide over the 2 maps before.*maps of its group: 2 groups share the 4 maps/);
});

test('pooling keeps the largest or the mean and has no weights, and an output becomes probabilities by softmax', () => {
  const [convolution, largest, mean, , output] = layerTable(ARCHITECTURE).map((row, i) =>
    explanationOf(row, i === 0, ARCHITECTURE.input),
  );
  expect(convolution).toMatch(
    /3 × 3 kernel slides over the image.*multiply, add up, add the bias. ReLU is applied.*negative values to zero/,
  );
  expect(largest).toMatch(/2 × 2 window.*largest/);
  expect(mean).toMatch(/3 × 3 window.*mean/);
  for (const text of [largest, mean]) expect(text).not.toMatch(/weight/);
  expect(output).toMatch(/weight.*logit.*Softmax turns all logits into probabilities/);
});

test('a function that no catalogue explains is explained by its name and formula', () => {
  ACTIVATIONS.relu.formula = 'max(0, x)';
  const text = explanationOf(layerTable(ARCHITECTURE)[0], true, ARCHITECTURE.input);
  delete ACTIVATIONS.relu.formula;
  expect(text).toMatch(/add the bias\. relu is applied to each number\. y = max\(0, x\)/);
});
