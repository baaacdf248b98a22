// Intervals, correlations and random orders.

const Z = 1.959963984540054; // quantile of the standard normal for a 95 % interval

// Computes the 95 % interval of a proportion. Source: Wilson 1927.
export function wilson(successes: number, n: number): [number, number] {
  if (n === 0) return [0, 1];
  const share = successes / n;
  const middle = share + (Z * Z) / (2 * n);
  const half = Z * Math.sqrt((share * (1 - share)) / n + (Z * Z) / (4 * n * n));
  const scale = 1 + (Z * Z) / n;
  return [Math.max(0, (middle - half) / scale), Math.min(1, (middle + half) / scale)];
}

// Computes the p-value of McNemar's exact test: the probability of counts at least this uneven if a changed prediction were
// equally likely to be broken and mended.
export function mcnemar(broken: number, mended: number): number {
  const n = broken + mended;
  const few = Math.min(broken, mended);
  let term = Math.pow(0.5, n); // n choose k / 2^n
  let sum = 0;
  for (let k = 0; k <= few; k++) {
    sum += term;
    term *= (n - k) / (k + 1);
  }
  return Math.min(1, 2 * sum);
}

// Computes the 95 % score interval of the change of accuracy, where of n images `broken` become wrong and `mended` correct.
// It holds each change d that a test does not reject. Python's `difference_interval` explains it. Source: Tango 1998.
export function changeInterval(broken: number, mended: number, n: number): [number, number] {
  return [lowOfChange(mended, broken, n), -lowOfChange(broken, mended, n)];
}

// Finds the lower end by bisection between -1 and the measured change (a - b) / n.
function lowOfChange(a: number, b: number, n: number): number {
  let [low, high] = [-1, (a - b) / n];
  for (let i = 0; i < 56; i++) {
    const d = (low + high) / 2;
    const half = ((2 * n - a + b) * d - a - b) / 2;
    const q = (Math.sqrt(half * half + 2 * n * b * d * (1 - d)) - half) / (2 * n); // the likeliest share of `b`
    const deviation = Math.sqrt(Math.max(0, n * (2 * q + d * (1 - d))));
    if (a - b - n * d >= Z * deviation) low = d;
    else high = d;
  }
  return low;
}

// Computes Pearson's correlation; 0 if one of the two is constant.
export function correlation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return cosine(centre(a), centre(b));
}

function centre(values: ArrayLike<number>): Float64Array {
  let mean = 0;
  for (let i = 0; i < values.length; i++) mean += values[i] / values.length;
  return Float64Array.from(values, (value) => value - mean);
}

// Computes the cosine of the angle between two vectors; 0 if one of them is zero.
export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [both, squareA, squareB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    both += a[i] * b[i];
    squareA += a[i] * a[i];
    squareB += b[i] * b[i];
  }
  return squareA > 0 && squareB > 0 ? both / Math.sqrt(squareA * squareB) : 0;
}

// Ranks numbers from 0; equal numbers share the mean of their ranks.
export function ranks(values: ArrayLike<number>): Float64Array {
  const order = Array.from(values, (_, i) => i).sort((i, j) => values[i] - values[j]);
  const result = new Float64Array(values.length);
  for (let from = 0; from < order.length;) {
    let to = from;
    while (to + 1 < order.length && values[order[to + 1]] === values[order[from]]) to++;
    for (let i = from; i <= to; i++) result[order[i]] = (from + to) / 2;
    from = to + 1;
  }
  return result;
}

// Computes Spearman's rank correlation.
export function rankCorrelation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return correlation(ranks(a), ranks(b));
}

// Makes a generator of uniform numbers in [0, 1) from a seed. Source: mulberry32, Tommy Ettinger 2017, public domain.
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

// Shuffles a copy of the items. Source: Fisher and Yates 1938, in Durstenfeld's form of 1964.
export function shuffle(items: ArrayLike<number>, random: () => number): number[] {
  const result = Array.from(items);
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j], result[i]];
  }
  return result;
}
