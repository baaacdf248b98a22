// The state of the bench in the address: it is written and read back, and hostile addresses do no harm.
import { describe, expect, test } from 'vitest';
import { decode, encode, type Available, type Shown } from '../src/state/fragment';
import type { Stroke } from '../src/handwriting/strokes';
import { packStrokes, unpackStrokes } from '../src/state/strokes';
import type { Checkpoint, LayerRow } from '../src/engine/types';

function row(index: number, kind: string, name: string, outputShape: number[], weights: string[] = []): LayerRow {
  return {
    index,
    layer: { kind, name, activation: weights.length > 0 ? 'relu' : undefined },
    inputShape: [],
    outputShape,
    weightShapes: Object.fromEntries(weights.map((weight) => [`${name}/${weight}`, [1]])),
    window: null,
    receptiveField: { size: [1, 1], jump: [1, 1], start: [0, 0] },
    parameters: 0,
    macs: 0,
  };
}

const ODD = 'a.b:c,d&e=f%#é 漢';
const deep = [
  row(0, 'Conv2D', 'conv2d', [26, 24, 16], ['kernel', 'bias']),
  row(1, 'MaxPooling2D', 'max_pooling2d', [13, 12, 16]),
  row(2, 'Conv2D', ODD, [11, 10, 32], ['kernel']),
  row(3, 'Flatten', 'flatten', [3520]),
  row(4, 'Dense', 'dense', [10], ['kernel', 'bias']),
];
const flat = [
  row(0, 'Flatten', 'flatten', [784]),
  row(1, 'Dense', 'dense', [64], ['kernel', 'bias']),
  row(2, 'Dense', 'dense_1', [10], ['kernel']),
];
const at = (epoch: number): Checkpoint => ({ epoch, step: null, loss: null, accuracy: null, num_images: 0 });
const known: Available = {
  models: [
    { table: deep, checkpoints: [0, 30 / 469, 1, 5].map(at) },
    { table: flat, checkpoints: [] },
  ],
  shape: [28, 26, 1],
  numClasses: 10,
  find: (index) => (index === 17 || index === 8059 ? 0 : -1),
};
const nothing: Shown = {
  index: null,
  strokes: null,
  model: 0,
  epoch: null,
  cell: null,
  ablations: [],
  rival: null,
  tab: 'how',
  language: null,
  lesson: null,
  answers: {},
  isEmbedded: false,
};

const strokes: Stroke[] = [
  {
    width: 0.08,
    points: [
      [0.25, 0.5],
      [0.251, 0.5],
      [0.9, 0.1],
      [0, 1],
    ],
  },
  { width: 0.1, points: [[1, 0]] },
];

describe('a state of the bench', () => {
  test('comes back from its fragment', () => {
    const shown: Shown = {
      index: 17,
      strokes: null,
      model: 0,
      epoch: 30 / 469,
      cell: { layer: ODD, map: 31, row: 10, column: 9 },
      ablations: [
        { part: 'filter', layer: 'conv2d', filter: 3, value: 'zero' },
        { part: 'filter', layer: ODD, filter: null, value: 'mean' },
        { part: 'bias', layer: 'conv2d' },
        { part: 'activation', layer: ODD },
        { part: 'pooling', layer: 'max_pooling2d' },
      ],
      rival: 9,
      tab: 'why',
      language: 'de',
      lesson: 'depth',
      answers: { pixels: 'numbers', depth: 'large' },
      isEmbedded: true,
    };
    const text = encode(shown);
    expect(text).toMatch(/^#bench\?[\w=&.,:%-]+$/);
    expect(new URL(`file:///a.html${text}`).hash).toBe(text);
    expect(decode(text, known)).toEqual(shown);
  });

  test('is written as documented', () => {
    const shown: Shown = {
      ...nothing,
      index: 17,
      model: 1,
      epoch: 3,
      cell: { layer: 'conv2d_1', map: 12, row: 4, column: 7 },
      ablations: [
        { part: 'filter', layer: 'conv2d', filter: 3, value: 'zero' },
        { part: 'bias', layer: 'conv2d_1' },
      ],
      rival: 9,
    };
    expect(encode(shown)).toBe('#bench?i=17&m=1&e=3&c=conv2d_1.12.4.7&l=conv2d.3:zero,conv2d_1:bias&r=9');
  });

  test('opens a layer or a map in its middle, an instrument alone, and any tag of a language', () => {
    expect(decode('#bench?c=conv2d', known)?.cell).toEqual({ layer: 'conv2d', map: 0, row: 13, column: 12 });
    expect(decode('#bench?c=conv2d.7', known)?.cell).toEqual({ layer: 'conv2d', map: 7, row: 13, column: 12 });
    expect(decode('#bench?m=1&c=dense.9', known)?.cell).toEqual({ layer: 'dense', map: 9, row: 0, column: 0 });
    expect(decode('#bench?embed=lens&t=why', known)).toEqual({ ...nothing, isEmbedded: true });
    expect(decode('#bench?embed=why', known)).toEqual({ ...nothing, tab: 'why', isEmbedded: true });
    expect(decode('#bench?embed=all&t=why', known)).toEqual({ ...nothing, tab: 'why' });
    expect(encode({ ...nothing, isEmbedded: true })).toBe('#bench?embed=lens');
    for (const tag of ['zh', 'zh-CN', 'ZH-hans']) expect(decode(`#bench?lang=${tag}`, known)?.language).toBe('zh-CN');
    expect(decode('#bench?lang=de-AT', known)?.language).toBe('de');
    expect(decode('#bench?lang=z', known)?.language).toBeNull();
  });

  test('keeps the answers in lessons', () => {
    const shown = { ...nothing, lesson: 'pooling', answers: { pixels: 'numbers', pooling: 'to' } };
    expect(encode(shown)).toBe('#bench?n=pooling&a=pixels.numbers,pooling.to');
    expect(decode('#bench?a=pixels.numbers,x,,a.b.c,__proto__.y,P.q', known)?.answers).toEqual({ pixels: 'numbers' });
  });

  test('takes cells of the image and of vectors', () => {
    expect(decode('#bench?c=input.0.27.25', known)?.cell).toEqual({ layer: 'input', map: 0, row: 27, column: 25 });
    expect(decode('#bench?c=flatten.3519.0.0', known)?.cell).toEqual({
      layer: 'flatten',
      map: 3519,
      row: 0,
      column: 0,
    });
    expect(decode('#bench?m=1&c=dense.63.0.0', known)?.cell?.layer).toBe('dense');
  });
});

describe('a hostile fragment', () => {
  test('of another kind is not read', () => {
    for (const text of [
      '',
      '#',
      '#data',
      '#bench',
      '#benchmark?i=17',
      'bench?i=17',
      `#bench?d=${'A'.repeat(200_000)}`,
    ]) {
      expect(decode(text, known)).toBeNull();
    }
  });

  test('loses what is out of range and keeps the rest', () => {
    const bad = `
      i=3 i=-1 i=1e1 i= i=99999999999999 m=2 m=x m=-0 e=2 e=NaN r=10 r=0x1 s=huge c=conv2d.16.0.0
      c=conv2d.0.26.0 c=conv2d.0.0.24 c=conv2d.0.0 c=conv2d.0.0.0.0 c=nowhere.0.0.0 c=%E0%A4%A.0.0.0
      c=__proto__.0.0.0 c=flatten.0.1.0 c=input.1.0.0 c= l=conv2d.16:zero l=conv2d:pooling l=conv2d:melt
      l=conv2d l=:zero l=dense.0:zero l=flatten.0:zero l=conv2d.3:bias l=conv2d.3.4:zero
      l=conv2d:zero:zero l=%:zero l=max_pooling2d:bias l=,,, d=A d=!!! d=gICAgICA d=UP8 d=<script>
      constructor=1 = &&& i %`
      .trim()
      .split(/\s+/);
    for (const text of bad) expect(decode(`#bench?${text}`, known), text).toEqual(nothing);
    expect(decode(`#bench?${bad.join('&')}`, known), 'all of them').toEqual(nothing);
    expect(decode('#bench?i=3&r=4&l=nowhere:zero,conv2d.3:mean,conv2d.3:zero&e=77', known)).toEqual({
      ...nothing,
      rival: 4,
      ablations: [{ part: 'filter', layer: 'conv2d', filter: 3, value: 'mean' }],
    });
  });

  test('can name only layers of the model that it selects', () => {
    expect(decode('#bench?m=1&c=conv2d.0.0.0&l=conv2d.0:zero&e=5', known)).toEqual({ ...nothing, model: 1 });
  });

  test('never throws, whatever its letters', () => {
    let state = 7;
    const random = (n: number) => (state = (state * 48271) % 2147483647) % n;
    const letters = '0123456789.,:&=%-_abcdeilmrsAZconv2d/€\u{1f600}\ud800';
    for (let round = 0; round < 3000; round++) {
      const text = Array.from({ length: random(60) }, () => letters[random(letters.length)]).join('');
      const shown = decode(`#bench?${'imeclrsd'[random(8)]}=${text}`, known);
      expect(shown === null || decode(encode(shown), known)).toEqual(shown);
    }
  });
});

describe('a drawing', () => {
  test('comes back on a grid of 1024', () => {
    const text = packStrokes(strokes);
    expect(text).toMatch(/^[\w-]+$/);
    const back = unpackStrokes(text)!;
    expect(back.map((stroke) => stroke.width)).toEqual([0.08, 0.1]);
    back.forEach((stroke, i) =>
      stroke.points.forEach(([x, y], k) => {
        expect(Math.abs(x - strokes[i].points[k][0])).toBeLessThanOrEqual(0.5 / 1023);
        expect(Math.abs(y - strokes[i].points[k][1])).toBeLessThanOrEqual(0.5 / 1023);
      }),
    );
    expect(packStrokes(back)).toBe(text);
  });

  test('is short: about two letters and a half a point', () => {
    const points = Array.from({ length: 200 }, (_, i): [number, number] => [
      0.3 + 0.002 * i,
      0.5 + 0.2 * Math.sin(i / 20),
    ]);
    const length = packStrokes([{ width: 0.08, points }]).length;
    expect(length).toBeLessThan(2.8 * points.length);
    expect(length).toBeGreaterThan(points.length);
  });

  test('is laid at the edge where it leaves the pad, and points that fall together are one', () => {
    const odd: Stroke = {
      width: 5,
      points: [
        [-1, 0.5],
        [-2, 0.5],
        [3, 0.5],
      ],
    };
    expect(unpackStrokes(packStrokes([odd, { width: 0.1, points: [] }]))).toEqual([
      {
        width: 1,
        points: [
          [0, 512 / 1023],
          [1, 512 / 1023],
        ],
      },
    ]);
  });

  test('that is empty stays empty in the fragment', () => {
    expect(decode(encode({ ...nothing, strokes: [] }), known)?.strokes).toEqual([]);
  });

  test('that was cut short is not read', () => {
    const text = packStrokes(strokes);
    expect(unpackStrokes(text.slice(0, -2))).toBeNull();
    expect(unpackStrokes('_____w')).toBeNull();
  });

  test('has a bound on its points', () => {
    const many = Array.from({ length: 15_000 }, (_, i): [number, number] => [(i % 2) / 1023, 0.5]);
    expect(unpackStrokes(packStrokes([{ width: 0.1, points: many }]))?.[0].points).toHaveLength(15_000);
    const half = { width: 0.1, points: many };
    expect(unpackStrokes(packStrokes([half, half]))).toBeNull();
  });
});
