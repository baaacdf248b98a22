// Reads the size of an image file from its first bytes, so that no oversized image is decoded.
import type { Size } from './picture';

const ascii = (bytes: Uint8Array, from: number, length: number) =>
  String.fromCharCode(...bytes.subarray(from, from + length));

// Reads the size of a PNG, JPEG, GIF, WebP or BMP; null if the bytes are none of these. All but JPEG have height and
// width at fixed offsets. In a BMP a negative height means that the top row comes first.
export function imageSize(bytes: Uint8Array): Size | null {
  if (bytes.length < 30) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (ascii(bytes, 1, 3) === 'PNG') return [view.getUint32(20), view.getUint32(16)];
  if (ascii(bytes, 0, 4) === 'GIF8') return [view.getUint16(8, true), view.getUint16(6, true)];
  if (ascii(bytes, 0, 2) === 'BM') return [Math.abs(view.getInt32(22, true)), Math.abs(view.getInt32(18, true))];
  if (ascii(bytes, 0, 4) === 'RIFF' && ascii(bytes, 8, 4) === 'WEBP') return webpSize(view, ascii(bytes, 12, 4));
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return jpegSize(view);
  return null;
}

// VP8 has 14 bits for each side. VP8L has 14 bits, and VP8X 24 bits, for each side minus 1. In VP8X the width is in
// bytes 24 to 26 and the height in 27 to 29; a read takes four bytes and drops the first or the last.
function webpSize(view: DataView, chunk: string): Size | null {
  if (chunk === 'VP8 ') return [view.getUint16(28, true) & 0x3fff, view.getUint16(26, true) & 0x3fff];
  if (chunk === 'VP8L') {
    const bits = view.getUint32(21, true);
    return [1 + ((bits >>> 14) & 0x3fff), 1 + (bits & 0x3fff)];
  }
  if (chunk === 'VP8X') return [1 + (view.getUint32(26, true) >>> 8), 1 + (view.getUint32(24, true) & 0xffffff)];
  return null;
}

// Finds the first frame header (SOF0 to SOF15 except the tables C4, C8 and CC) after any other segments. A segment is
// the byte FF, a marker, the length of the rest (two bytes, which count themselves), and content.
function jpegSize(view: DataView): Size | null {
  let offset = 2;
  while (offset + 9 <= view.byteLength) {
    if (view.getUint8(offset) !== 0xff) return null;
    const marker = view.getUint8(offset + 1);
    if (marker === 0xff) {
      offset += 1; // a fill byte
      continue;
    }
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      return [view.getUint16(offset + 5), view.getUint16(offset + 7)];
    }
    // TEM and RST0 to SOI have no length.
    offset += marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8) ? 2 : 2 + view.getUint16(offset + 2);
  }
  return null;
}
