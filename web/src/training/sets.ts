// Which of the files that a reader gave are images and labels to train on, and which are a test set.
import { IdxError, MOST_BYTES, readIdx, type IdxArray, type NamedFile } from './idx';
import type { Labelled } from './score';

export interface LabelledImages extends Labelled {
  name: string; // of the file of images
}

export interface Sets {
  train: LabelledImages;
  test: LabelledImages | null;
}

const TEST_NAME = /t10k|test/i;

function isTest(array: IdxArray): boolean {
  return TEST_NAME.test(array.name);
}

function checkImages(array: IdxArray, shape: [number, number, number]): void {
  const [, height, width, channels = 1] = array.shape;
  if (height !== shape[0] || width !== shape[1] || channels !== shape[2]) {
    const given = [height, width, channels].join(' × ');
    throw new IdxError('refused.file.shape', { file: array.name, given, shape: shape.join(' × ') });
  }
}

function checkLabels(array: IdxArray, classes: number): void {
  const at = array.values.findIndex((label) => label >= classes);
  if (at >= 0) {
    const place = { label: array.values[at], index: String(at), last: classes - 1 };
    throw new IdxError('refused.file.label', { file: array.name, ...place });
  }
}

function pair(images: IdxArray, labels: IdxArray): LabelledImages {
  const [n, m] = [images.shape[0], labels.shape[0]];
  if (n !== m) {
    throw new IdxError('refused.file.counts', { file: images.name, images: n, labelFile: labels.name, labels: m });
  }
  return { name: images.name, images: images.values, labels: labels.values };
}

// The labels of these images: by what both are called where names tell, otherwise by their number.
function labelsOf(images: IdxArray, labels: IdxArray[]): IdxArray {
  const alike = labels.filter((one) => isTest(one) === isTest(images));
  if (alike.length === 1) return alike[0];
  return labels.find((one) => one.shape[0] === images.shape[0]) ?? labels[0];
}

// Raises IdxError unless the files are one set, or one to train on and one to test.
export function pairSets(arrays: IdxArray[], shape: [number, number, number], classes: number): Sets {
  const images = arrays.filter((array) => array.shape.length > 2);
  const labels = arrays.filter((array) => array.shape.length === 1);
  for (const array of arrays) {
    if (array.shape.length === 2) throw new IdxError('refused.file.neither', { file: array.name });
  }
  if (images.length !== labels.length || images.length < 1 || images.length > 2) {
    const files = arrays.map((array) => array.name).join(', ');
    throw new IdxError('refused.file.mix', { files, images: images.length, labels: labels.length });
  }
  for (const array of images) checkImages(array, shape);
  for (const array of labels) checkLabels(array, classes);
  if (images.length === 1) {
    if (isTest(images[0])) {
      throw new IdxError('refused.file.testOnly', { file: images[0].name });
    }
    return { train: pair(images[0], labels[0]), test: null };
  }
  const [first, second] = images;
  if (labelsOf(first, labels) === labelsOf(second, labels)) {
    throw new IdxError('refused.file.alike', { first: first.name, second: second.name });
  }
  const sets = images.map((array) => pair(array, labelsOf(array, labels)));
  // By name; without one that tells, the larger set is trained on.
  const named = isTest(first) !== isTest(second);
  const firstIsTest = named ? isTest(first) : first.shape[0] < second.shape[0];
  return firstIsTest ? { train: sets[1], test: sets[0] } : { train: sets[0], test: sets[1] };
}

export async function readSets(files: NamedFile[], shape: [number, number, number], classes: number): Promise<Sets> {
  if (files.length > 4) {
    throw new IdxError('refused.file.many', { n: files.length });
  }
  const arrays: IdxArray[] = [];
  let memory = MOST_BYTES;
  for (const file of files) {
    const array = await readIdx(file, memory);
    memory -= array.values.length;
    arrays.push(array);
  }
  return pairSets(arrays, shape, classes);
}
