// The size of an image, from the first bytes of its file.
import { expect, test } from 'vitest';
import { imageSize } from '../src/handwriting/image_size';

const bytes = (base64: string) => new Uint8Array(Buffer.from(base64, 'base64'));

// The first bytes of files of 300 × 17 pixels, as Pillow writes them.
const FILES = {
  PNG: 'iVBORw0KGgoAAAANSUhEUgAAASwAAAARCAAAAABChc5uAAAAG0lEQQ==',
  GIF: 'R0lGODdhLAERAIEAAAAAAAAAAAAAAAAAACwAAAAALAERAEAIdAABCA==',
  BMP: 'Qk0iGAAAAAAAADYEAAAoAAAALAEAABEAAAABAAgAAAAAAOwTAADEDg==',
  JPEG: '/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////////////wAALCAARASwBAREA',
  'progressive JPEG with EXIF':
    '/9j/4AAQSkZJRgABAQAAAQABAAD/4QAwRXhpZgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAP/bAEMA///////////////////////////////////////////////////////////////////////////////////////CAAsIABEBLAEBEQD/',
  WebP: 'UklGRkQAAABXRUJQVlA4IDgAAACwBACdASosAREAPm02mUmkIyKhIA==',
  'lossless WebP': 'UklGRiAAAABXRUJQVlA4TBQAAAAvKwEEAAcQEf0PAAnh/3wpov8pIQ==',
  'WebP with EXIF': 'UklGRmIAAABXRUJQVlA4WAoAAAAIAAAAKwEAEAAAVlA4IDgAAACwBA==',
};

test.each(Object.entries(FILES))('a %s says how large it is', (_, file) => {
  expect(imageSize(bytes(file))).toEqual([17, 300]);
});

test('bytes that are no image have no size', () => {
  expect(imageSize(new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg"></svg>'))).toBeNull();
  expect(imageSize(new Uint8Array(0))).toBeNull();
  expect(imageSize(bytes(FILES.JPEG).subarray(0, 40))).toBeNull(); // cut off before its frame header
  expect(imageSize(bytes(FILES.PNG).subarray(0, 20))).toBeNull();
});
