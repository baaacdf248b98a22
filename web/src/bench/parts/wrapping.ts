// Predicts how text wraps: widths in CSS pixels at the page's text size of 15.
const LETTER = 8.4; // estimated width of a letter where no canvas can measure it, as in tests
export const [BOLD, PLAIN] = ['600', '400'];

let pen: CanvasRenderingContext2D | null = null;
const widths = new Map<string, number>();

export function widthOf(text: string, weight: string): number {
  if (typeof document === 'undefined') return text.length * LETTER;
  const key = weight + text;
  let width = widths.get(key);
  if (width === undefined) {
    pen ??= document.createElement('canvas').getContext('2d');
    if (pen === null) return text.length * LETTER;
    pen.font = `${weight} 15px ${getComputedStyle(document.body).fontFamily}`;
    widths.set(key, (width = pen.measureText(text).width));
  }
  return width;
}

// Splits a text where a line may end: after a blank or a hyphen, and beside a Chinese character. "3 × 3" stays whole.
export const pieces = (text: string) =>
  text.replaceAll(' × ', '\u00a0×\u00a0').split(/(?<=[ -])|(?<=\p{sc=Han})|(?=\p{sc=Han})/u);

// Counts the lines that a text takes in a column of this width.
export function linesIn(text: string, weight: string, width: number): number {
  if (text === '') return 0;
  let lines = 1;
  let line = '';
  for (const piece of pieces(text)) {
    const fits = line === '' || widthOf((line + piece).trimEnd(), weight) <= width;
    line = fits ? line + piece : piece;
    if (!fits) lines++;
    // A word that is wider than the column breaks anywhere: one of 2.5 times its width takes two further lines.
    lines += Math.max(0, Math.ceil(widthOf(piece.trimEnd(), weight) / width) - 1);
  }
  return lines;
}

// Lets a long word break anywhere but beside its ends, with a hyphen.
export const hyphenated = (text: string) =>
  text.replace(/\p{L}{13,}/gu, (word) => word.replace(/(?<=^.{3,})(?=.{3,}$)/gsu, '\u00ad'));
