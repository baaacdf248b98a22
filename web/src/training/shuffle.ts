// Random numbers of a training run, each epoch's from the seed and the epoch alone.

// SplitMix32. Source: Steele, Lea and Flood 2014, with 32-bit constants of Stafford's mix.
export function splitMix(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  };
}

// The start of an epoch's stream: near seeds and near epochs give unrelated ones.
export function epochKey(seed: number, epoch: number): number {
  return splitMix(splitMix(seed)() ^ Math.imul(epoch, 0x85ebca6b))();
}

// The numbers from 0 to n - 1 in random order. Source: Fisher and Yates 1938, as Durstenfeld 1964 has it.
export function permutation(n: number, key: number): Int32Array {
  const order = Int32Array.from({ length: n }, (_, i) => i);
  const next = splitMix(key);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor((next() / 2 ** 32) * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
