// Where the image on the bench comes from.

import type { Stroke } from '../handwriting/strokes';

export type Source =
  | { kind: 'drawing'; strokes: Stroke[] }
  | { kind: 'image'; position: number } // among the embedded images
  | { kind: 'file'; name: string; width: number; height: number; data: Uint8ClampedArray }; // RGBA
