// The colours of the cells of a confusion matrix, as in src/convscope/evidence/confusion_colours.py. Correct predictions are
// blue, which deepens with their fraction of the row; wrong ones are red, which deepens with the logarithm of their count.

const MAX_BLUE = 0.5; // opacities
const [MIN_RED, MAX_RED] = [0.1, 0.55];

export function confusionOpacities(counts: number[][]): number[][] {
  const wrong = counts.flatMap((row, truth) => row.filter((_, predicted) => predicted !== truth));
  const deepest = Math.log1p(Math.max(1, ...wrong));
  return counts.map((row, truth) => {
    const total = row.reduce((sum, n) => sum + n, 0) || 1; // not 0 where a class has no images
    return row.map((n, predicted) => {
      if (truth === predicted) return (MAX_BLUE * n) / total;
      return n > 0 ? MIN_RED + ((MAX_RED - MIN_RED) * Math.log1p(n)) / deepest : 0;
    });
  });
}

export const confusionFill = (truth: number, predicted: number, opacity: number): string =>
  `rgb(var(${truth === predicted ? '--blue' : '--red'}) / ${opacity.toFixed(3)})`;
