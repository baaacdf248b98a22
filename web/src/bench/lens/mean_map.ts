// Computes the mean of the maps [first, first + count) of values (pixels, maps): (rows, columns).
export function meanMap(
  values: ArrayLike<number>,
  maps: number,
  { first, count }: { first: number; count: number },
): Float32Array {
  return Float32Array.from({ length: values.length / maps }, (_, pixel) => {
    let sum = 0;
    for (let i = first; i < first + count; i++) sum += values[pixel * maps + i];
    return sum / count;
  });
}
