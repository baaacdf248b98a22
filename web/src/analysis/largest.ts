// The place of the largest value, the first of equals; -1 if there is none. One place can be left out.
export function largest(values: ArrayLike<number>, except = -1): number {
  let best = -1;
  for (let i = 0; i < values.length; i++) {
    if (i !== except && (best < 0 || values[i] > values[best])) best = i;
  }
  return best;
}
