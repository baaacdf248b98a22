// Random numbers of a training run. Those of an epoch follow from the seed and the epoch alone, so a run can be repeated.

// Makes a generator of 32-bit random numbers, SplitMix32. Source: Steele, Lea and Flood 2014, with constants of Stafford's mix.
export function splitMix(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  };
}

// Computes the start of an epoch's random stream. Near seeds and near epochs have unrelated streams.
export function epochKey(seed: number, epoch: number): number {
  return splitMix(splitMix(seed)() ^ Math.imul(epoch, 0x85ebca6b))();
}

// Shuffles the numbers from 0 to n - 1. Source: Fisher and Yates 1938, in Durstenfeld's form of 1964.
export function permutation(n: number, key: number): Int32Array {
  const order = Int32Array.from({ length: n }, (_, i) => i);
  const next = splitMix(key);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor((next() / 2 ** 32) * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
