// The lessons, in their order. A new lesson needs an entry here, its script, and its texts in the catalogue.
import { convolution, depth, pixels, pooling } from './about_layers';
import { fails, overfitting, replaysTraining, softmax, training } from './about_learning';
import type { Lesson } from './lesson';
import { chooseLabelled, chooseMistake } from './subject';

export const LESSONS: readonly Lesson[] = [
  { id: 'pixels', script: pixels },
  { id: 'convolution', script: convolution },
  { id: 'pooling', script: pooling },
  { id: 'depth', script: depth },
  { id: 'softmax', script: softmax },
  // A trained network has something to learn from an image that it gets wrong.
  {
    id: 'training',
    start: (bench) => (replaysTraining(bench) ? chooseLabelled : chooseMistake)(bench),
    script: training,
  },
  { id: 'overfitting', script: overfitting },
  { id: 'fails', start: chooseLabelled, script: fails },
];
