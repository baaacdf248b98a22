// Rounds the terms of a sum so that the printed terms add up to the printed sum.

// Rounds terms up or down so that they add up to their rounded sum: those with the largest remainders are rounded up. NaN
// stays NaN and counts as 0.
export function roundTerms(terms: ArrayLike<number>, decimals: number): number[] {
  const unit = 10 ** decimals;
  const floors = Array.from(terms, (term) => Math.floor(term * unit));
  let total = 0; // the sum of the terms, in units of the last decimal
  let below = 0; // the sum of the floors
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

// Chooses the number of decimals, 1 to 6, that shows four digits of the largest value.
export function decimalsFor(largest: number): number {
  if (!(largest > 0) || !Number.isFinite(largest)) return 3;
  return Math.max(1, Math.min(6, 3 - Math.floor(Math.log10(largest))));
}
