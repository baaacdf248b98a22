// Numbers as text, the same way in every view.

// What is not all and not nothing never reads as if it were.
export function percent(share: number): string {
  if (share >= 0.9995 && share < 1) return '> 99.9 %';
  if (share > 0 && share < 0.0005) return '< 0.1 %';
  return `${(100 * share).toFixed(1)} %`;
}

// Of a prediction: what rounds to all or nothing is stated as a limit, because a softmax is never 1 or 0.
export function confidence(probability: number): string {
  const text = percent(probability);
  return text === '100.0 %' ? '> 99.9 %' : text === '0.0 %' ? '< 0.1 %' : text;
}

// With a sign, and a minus that is as wide as a plus.
export function signedText(value: number, digits = 2): string {
  const text = Math.abs(value).toFixed(digits);
  if (Number(text) === 0) return text;
  return (value < 0 ? '−' : '+') + text;
}

export function plainText(value: number, digits = 3): string {
  const text = value.toFixed(digits);
  return (Number(text) === 0 ? text.replace('-', '') : text).replace('-', '−');
}

export function several(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

// Of a layer: maps have places, units are single numbers.
export function unitName(shape: number[]): 'map' | 'unit' {
  return shape.length === 3 ? 'map' : 'unit';
}
