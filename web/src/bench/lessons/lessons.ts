// The lessons, in their order. A new lesson needs an entry here, its script, and its texts in the catalogue.
import { convolution, depth, pixels, pooling } from './about_layers';
import { fails, overfitting, softmax, training } from './about_learning';
import type { Lesson } from './lesson';

export const LESSONS: readonly Lesson[] = [
  { id: 'pixels', script: pixels },
  { id: 'convolution', script: convolution },
  { id: 'pooling', script: pooling },
  { id: 'depth', script: depth },
  { id: 'softmax', script: softmax },
  { id: 'training', needsLabel: true, script: training },
  { id: 'overfitting', script: overfitting },
  { id: 'fails', needsLabel: true, script: fails },
];
