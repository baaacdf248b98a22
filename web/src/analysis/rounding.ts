// Rounding for printed sums.

// Rounds terms up or down so that the printed terms add up to the printed sum. The terms of 0.46 + 0.37 + 0.17 = 1.0, rounded
// down to 0.4 + 0.3 + 0.1, miss two tenths. The two largest remainders get them: 0.4 + 0.4 + 0.2. NaN stays NaN.
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
  const missing = Math.round(total) - below;
  for (const { i } of order.slice(0, missing)) floors[i]++;
  return floors.map((floor) => floor / unit);
}

// Chooses the number of decimals, 1 to 6, that shows four digits of the largest value.
export function decimalsFor(largest: number): number {
  if (!(largest > 0) || !Number.isFinite(largest)) return 3;
  return Math.max(1, Math.min(6, 3 - Math.floor(Math.log10(largest))));
}
