// The mean of `count` maps of a layer from the one called `first` on: (rows, columns) of (places, maps).
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
