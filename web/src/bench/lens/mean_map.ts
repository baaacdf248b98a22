// One map of a layer, or the mean of all of them: (rows, columns) of (places, maps).
export function meanMap(values: ArrayLike<number>, maps: number, map: number | null): Float32Array {
  return Float32Array.from({ length: values.length / maps }, (_, place) => {
    if (map !== null) return values[place * maps + map];
    let sum = 0;
    for (let i = 0; i < maps; i++) sum += values[place * maps + i];
    return sum / maps;
  });
}
