// Converts logits to probabilities.

// softmax = e^(logit - largest) / total. Without `largest` the exponentials could overflow.
export interface Normalizer {
  largest: number;
  total: number;
}

export function normalizerOf(logits: ArrayLike<number>): Normalizer {
  let largest = logits[0];
  for (let k = 1; k < logits.length; k++) largest = Math.max(largest, logits[k]);
  let total = 0;
  for (let k = 0; k < logits.length; k++) total += Math.exp(logits[k] - largest);
  return { largest, total };
}

// Converts logits (N, classes) to probabilities.
export function softmax(logits: Float32Array, classes: number): Float32Array {
  const result = new Float32Array(logits.length);
  for (let begin = 0; begin < logits.length; begin += classes) {
    const row = logits.subarray(begin, begin + classes);
    const { largest, total } = normalizerOf(row);
    for (let k = 0; k < classes; k++) result[begin + k] = Math.exp(row[k] - largest) / total;
  }
  return result;
}
