// Reads an image file into RGBA bytes, or throws an error whose message is a sentence for the reader.
import type { Engine } from '../../engine/engine';
import { imageSize } from '../../handwriting/image_size';
import { number, say } from '../../text/say.svelte';
import { fromRgba, toRgba } from '../../handwriting/picture';
import { reduce } from '../../handwriting/prepare';

export interface OpenedPicture {
  data: Uint8ClampedArray; // RGBA, opaque
  width: number;
  height: number;
  name: string;
}

export const FORMATS = 'image/png,image/jpeg,image/gif,image/webp,image/bmp';
const MAX_BYTES = 20e6; // of the file
const MAX_PIXELS = 64e6; // of the image: more than a phone's camera takes, and 256 MB as RGBA

// Opens a picture: upright, on white, averaged down to `largest` pixels on its longer side.
export async function openImage(engine: Engine, file: Blob, name: string, largest: number): Promise<OpenedPicture> {
  if (file.size > MAX_BYTES) {
    throw new Error(say('input.refused.bytes', { name, megabytes: number(file.size / 1e6, 1) }));
  }
  const size = imageSize(new Uint8Array(await file.arrayBuffer())); // [height, width]; null for other formats
  if (size === null) throw new Error(say('input.refused.format', { name }));
  if (size[0] * size[1] > MAX_PIXELS) {
    const millions = (size[0] * size[1]) / 1e6;
    throw new Error(say('input.refused.pixels', { name, size: `${size[1]} × ${size[0]}`, millions }));
  }
  const damaged = new Error(say('input.refused.damaged', { name }));
  const bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' }).catch(() => Promise.reject(damaged));
  const { width, height } = bitmap;
  const context = contextOf(width, height);
  if (!canRead()) throw new Error(say('input.refused.blocked'));
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const picture = reduce(engine, fromRgba(context.getImageData(0, 0, width, height).data, height, width), largest);
  return { data: toRgba(picture), width: picture.width, height: picture.height, name };
}

function contextOf(width: number, height: number): CanvasRenderingContext2D {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context === null) throw new Error(say('input.refused.noCanvas'));
  return context;
}

// True if the canvas returns the painted pixels; some browsers return white or noise instead, to protect privacy.
function canRead(): boolean {
  const context = contextOf(4, 4);
  context.fillStyle = '#3264c8';
  context.fillRect(0, 0, 4, 4);
  const { data } = context.getImageData(0, 0, 4, 4);
  return data.every((value, i) => value === [0x32, 0x64, 0xc8, 255][i % 4]);
}
