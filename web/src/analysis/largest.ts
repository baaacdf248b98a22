// Finds the index of the largest value, the first of equals, or -1. One index can be excluded.
export function largest(values: ArrayLike<number>, except = -1): number {
  let best = -1;
  for (let i = 0; i < values.length; i++) {
    if (i !== except && (best < 0 || values[i] > values[best])) best = i;
  }
  return best;
}

// Finds the largest absolute value; 0 of none.
export function largestMagnitude(values: ArrayLike<number>): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]));
  return largest;
}
