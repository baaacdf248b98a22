// Under which conditions a network is trained: on how many of the images, and how many of their labels are wrong.
import { TextError } from '../text/error';
import { permutation, splitMix } from './shuffle';

export interface Conditions {
  images: number | null; // how many to train on; null for all
  wrongLabels: number; // share of them that is given a wrong label, 0 to 0.5
}

export const ALL_IMAGES: Conditions = { images: null, wrongLabels: 0 };
export const MAX_WRONG = 0.5;

export interface ChosenImages {
  indices: Int32Array; // into the data, in the order in which they were drawn: the first n of them are even over the classes too
  labels: Int32Array; // given to these images, right or wrong
  wrong: Uint8Array; // 1 where the given label is not the image's own
}

// Draws images evenly over the classes, one of each class in turn until a class has none left, and gives some a wrong label.
// The same seed gives the same images: those of a smaller number are the first of those of a larger one, and the images with a
// wrong label stay the same, with the same label, when their share grows.
export function chooseImages(
  labels: ArrayLike<number>,
  classes: number,
  { images, wrongLabels }: Conditions,
  seed: number,
): ChosenImages {
  if (images !== null && !(Number.isInteger(images) && images >= 1)) {
    throw new TextError('refused.training.images', { images: String(images) });
  }
  if (!(wrongLabels >= 0 && wrongLabels <= MAX_WRONG)) {
    throw new TextError('refused.training.wrongLabels', { share: String(wrongLabels), most: String(MAX_WRONG) });
  }
  if (wrongLabels > 0 && classes < 2) throw new TextError('refused.training.oneClass');
  const random = splitMix(splitMix(seed)() ^ 0x632be5ab); // another stream than those of the epochs
  const indices = drawEvenly(labels, classes, images ?? labels.length, random);
  const before = Int32Array.from(indices, (i) => labels[i]);
  const wrong = new Uint8Array(indices.length);
  const order = permutation(indices.length, random());
  const shifts = splitMix(random());
  for (const at of order.subarray(0, Math.round(wrongLabels * indices.length))) {
    wrong[at] = 1;
    before[at] = (before[at] + 1 + (shifts() % (classes - 1))) % classes;
  }
  return { indices, labels: before, wrong };
}

function drawEvenly(labels: ArrayLike<number>, classes: number, count: number, random: () => number): Int32Array {
  const members: number[][] = Array.from({ length: classes }, () => []);
  for (let i = 0; i < labels.length; i++) members[labels[i]].push(i);
  const shuffled = members.map((own) => Array.from(permutation(own.length, random()), (i) => own[i]));
  const turns = permutation(classes, random()); // so that the remainder is not always given to the same classes
  const drawn = new Int32Array(Math.min(count, labels.length));
  let total = 0;
  for (let round = 0; total < drawn.length; round++) {
    for (const label of turns) {
      if (total < drawn.length && round < shuffled[label].length) drawn[total++] = shuffled[label][round];
    }
  }
  return drawn;
}
