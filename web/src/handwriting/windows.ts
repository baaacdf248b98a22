// What is in a window about every value of a plane (height, width), in a few operations for each however large the
// window is. Windows reach `reach` to either side.

// Rounded means; beyond the edge its values go on. Sums are of whole numbers, so the order does not matter.
export function means(values: Uint8Array, height: number, width: number, reach: number): Uint8Array {
  if (reach === 0) return values;
  const area = (2 * reach + 1) ** 2;
  const rows = rowSums(values, height, width, reach);
  const sums = new Float64Array(width); // of the window that slides down
  for (let row = -reach; row <= reach; row++) add(sums, rows, width * clamp(row, height), 1);
  const found = new Uint8Array(height * width);
  for (let row = 0, i = 0; row < height; row++) {
    for (let column = 0; column < width; column++, i++) found[i] = Math.floor((2 * sums[column] + area) / (2 * area));
    add(sums, rows, width * clamp(row + reach + 1, height), 1);
    add(sums, rows, width * clamp(row - reach, height), -1);
  }
  return found;
}

function rowSums(values: Uint8Array, height: number, width: number, reach: number): Int32Array {
  const sums = new Int32Array(height * width);
  for (let row = 0; row < height; row++) {
    const from = row * width;
    let sum = 0;
    for (let column = -reach; column <= reach; column++) sum += values[from + clamp(column, width)];
    for (let column = 0; column < width; column++) {
      sums[from + column] = sum;
      sum += values[from + clamp(column + reach + 1, width)] - values[from + clamp(column - reach, width)];
    }
  }
  return sums;
}

function add(sums: Float64Array, rows: Int32Array, from: number, sign: number): void {
  for (let i = 0; i < sums.length; i++) sums[i] += sign * rows[from + i];
}

function clamp(at: number, length: number): number {
  return at < 0 ? 0 : at < length ? at : length - 1;
}

// (height, width): not 0 where a value above `least` is in the window.
export function near(values: Uint8Array, least: number, height: number, width: number, reach: number): Uint8Array {
  const found = new Uint8Array(height * width);
  let [top, bottom, left, right] = [height, 0, width, 0]; // of all that is near
  for (let row = 0; row < height; row++) {
    const from = row * width;
    for (let column = 0; column < width; column++) {
      if (values[from + column] <= least) continue;
      const start = Math.max(0, column - reach);
      while (column < width && values[from + column] > least) column++;
      const end = Math.min(width, column + reach);
      found.fill(1, from + start, from + end);
      top = Math.min(top, Math.max(0, row - reach));
      bottom = Math.min(height, row + reach + 1);
      left = Math.min(left, start);
      right = Math.max(right, end);
    }
  }
  const away = new Int32Array(width).fill(reach); // rows from the last one above that has a 1
  for (let row = top; row < bottom; row++) {
    for (let column = left, i = row * width + left; column < right; column++, i++) {
      if (found[i] === 1) away[column] = 0;
      else if (++away[column] <= reach) found[i] = 2; // near, but not to count from
    }
  }
  away.fill(reach); // and below
  for (let row = bottom - 1; row >= top; row--) {
    for (let column = left, i = row * width + left; column < right; column++, i++) {
      if (found[i] === 1) away[column] = 0;
      else if (++away[column] <= reach) found[i] = 2;
    }
  }
  return found;
}

// The closing: in each window the largest value, and of these in each window the least. Beyond the edge its values go on.
export function closing(values: Uint8Array, height: number, width: number, reach: number): Uint8Array {
  const [rows, columns] = [height + 2 * reach, width + 2 * reach];
  const across = slide(values, height, width, reach, -reach, columns, 0);
  const most = slide(across, columns, height, reach, -reach, rows, 255);
  const least = slide(most, rows, columns, reach, reach, width, 0);
  return slide(least, width, rows, reach, reach, height, 255);
}

// The largest value in windows along each of `lines`: `count` windows, the middle of the first at `first`, cut off at the
// line's ends. The answer is (count, lines), turned over, so that the next call goes along the other axis; its values are
// v ^ turn, which for 255 is 255 - v: then the largest of what follows is the least.
//
// Each line is parted into stretches as long as a window, which hence is the end of one and the start of the next.
// Source: van Herk 1992; Gil and Werman 1993.
function slide(
  values: Uint8Array,
  lines: number,
  length: number,
  reach: number,
  first: number,
  count: number,
  turn: number,
): Uint8Array {
  const size = 2 * reach + 1;
  const last = length - 1;
  const lastStart = last - (last % size);
  const fromStart = new Uint8Array(length); // the largest of a stretch up to here
  const toEnd = new Uint8Array(length); // and from here
  const found = new Uint8Array(count * lines);
  for (let line = 0; line < lines; line++) {
    const from = line * length;
    for (let start = 0; start < length; start += size) {
      const end = Math.min(length, start + size);
      let most = 0;
      for (let i = start; i < end; i++) {
        if (values[from + i] > most) most = values[from + i];
        fromStart[i] = most;
      }
      most = 0;
      for (let i = end - 1; i >= start; i--) {
        if (values[from + i] > most) most = values[from + i];
        toEnd[i] = most;
      }
    }
    for (let n = 0, left = first - reach, into = line; n < count; n++, left++, into += lines) {
      let most = 0;
      if (left >= 0) most = toEnd[left];
      if (left < lastStart) {
        const begun = fromStart[Math.min(last, left + size - 1)];
        if (begun > most) most = begun;
      }
      found[into] = most ^ turn;
    }
  }
  return found;
}
