// Rounding a sum so that what is printed adds up.

// The terms at so many decimals, each rounded up or down, so that they add up to the rounded sum of them all: those with
// the largest remainders are rounded up. What is not a number stays none and counts as nothing.
export function roundTerms(terms: ArrayLike<number>, decimals: number): number[] {
  const unit = 10 ** decimals;
  const floors = Array.from(terms, (term) => Math.floor(term * unit));
  let total = 0;
  let below = 0;
  for (let i = 0; i < floors.length; i++) {
    if (Number.isNaN(floors[i])) continue;
    total += terms[i] * unit;
    below += floors[i];
  }
  const order = floors
    .map((floor, i) => ({ i, rest: terms[i] * unit - floor }))
    .filter(({ rest }) => !Number.isNaN(rest))
    .sort((a, b) => b.rest - a.rest);
  for (const { i } of order.slice(0, Math.round(total) - below)) floors[i]++;
  return floors.map((floor) => floor / unit);
}

// As many decimals as show four digits of the largest, from 1 to 6.
export function decimalsFor(largest: number): number {
  if (!(largest > 0) || !Number.isFinite(largest)) return 3;
  return Math.max(1, Math.min(6, 3 - Math.floor(Math.log10(largest))));
}
