// Computes the mean map, (rows, columns), of the maps from `first` to `first + count - 1` of values (pixels, maps).
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
