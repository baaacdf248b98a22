// The conditions of a training: the number of images, and the share of them with a wrong label.
import { TextError } from '../text/error';
import { permutation, splitMix } from './shuffle';

export interface Conditions {
  images: number | null; // number of images to train on; null for all
  wrongLabels: number; // share of the images that get a wrong label, 0 to 0.5
}

export const ALL_IMAGES: Conditions = { images: null, wrongLabels: 0 };
export const MAX_WRONG_LABELS = 0.5;

export interface ChosenImages {
  indices: Int32Array; // into the data, in the order of drawing, so that the first n are balanced over the classes too
  labels: Int32Array; // the labels to train with, correct or wrong
  wrong: Uint8Array; // 1 for an image whose label was made wrong
}

// Draws images evenly over the classes, one of each class in turn until a class has none left, and gives some a wrong label.
// With the same seed, fewer images are the first of more images, and a larger share of wrong labels keeps those of a smaller.
export function chooseImages(
  labels: ArrayLike<number>,
  classes: number,
  { images, wrongLabels }: Conditions,
  seed: number,
): ChosenImages {
  if (images !== null && !(Number.isInteger(images) && images >= 1)) {
    throw new TextError('refused.training.images', { images: String(images) });
  }
  if (!(wrongLabels >= 0 && wrongLabels <= MAX_WRONG_LABELS)) {
    throw new TextError('refused.training.wrongLabels', { share: String(wrongLabels), most: String(MAX_WRONG_LABELS) });
  }
  if (wrongLabels > 0 && classes < 2) throw new TextError('refused.training.oneClass');
  const random = splitMix(splitMix(seed)() ^ 0x632be5ab); // a constant that makes it another stream than those of epochs
  const indices = drawEvenly(labels, classes, images ?? labels.length, random);
  const assigned = Int32Array.from(indices, (i) => labels[i]);
  const wrong = new Uint8Array(indices.length);
  const order = permutation(indices.length, random());
  const shifts = splitMix(random()); // from the true class to the wrong one, 1 to classes - 1
  for (const position of order.subarray(0, Math.round(wrongLabels * indices.length))) {
    wrong[position] = 1;
    assigned[position] = (assigned[position] + 1 + (shifts() % (classes - 1))) % classes;
  }
  return { indices, labels: assigned, wrong };
}

// Draws `count` images: round n takes the n-th image of each class that still has one.
function drawEvenly(labels: ArrayLike<number>, classes: number, count: number, random: () => number): Int32Array {
  const byClass: number[][] = Array.from({ length: classes }, () => []);
  for (let i = 0; i < labels.length; i++) byClass[labels[i]].push(i);
  const shuffled = byClass.map((members) => Array.from(permutation(members.length, random()), (i) => members[i]));
  const turns = permutation(classes, random()); // random, so that the remainder does not always go to the same classes
  const drawn = new Int32Array(Math.min(count, labels.length));
  let total = 0;
  for (let round = 0; total < drawn.length; round++) {
    for (const label of turns) {
      if (total < drawn.length && round < shuffled[label].length) drawn[total++] = shuffled[label][round];
    }
  }
  return drawn;
}
