// Filters the embedded images to choose from: the conditions of Picker.svelte, of which an image has to pass all.

export interface PickerFilters {
  label: number | null; // the true class; null for any
  prediction: number | null; // the predicted class; null for any
  outcome: 'all' | 'correct' | 'wrong';
}

export const EVERY_IMAGE: PickerFilters = { label: null, prediction: null, outcome: 'all' };

// Finds the positions of the images that pass the filters.
export function filterPositions(
  labels: ArrayLike<number>,
  predictions: ArrayLike<number>,
  { label, prediction, outcome }: PickerFilters,
): number[] {
  const positions: number[] = [];
  for (let i = 0; i < labels.length; i++) {
    if (label !== null && labels[i] !== label) continue;
    if (prediction !== null && predictions[i] !== prediction) continue;
    if (outcome !== 'all' && (labels[i] === predictions[i]) !== (outcome === 'correct')) continue;
    positions.push(i);
  }
  return positions;
}
