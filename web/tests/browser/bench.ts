// A reader's actions at the bench, with real pointer events, and what the bench shows.
import type { Page } from 'puppeteer-core';
import { expect } from 'vitest';

export type Tab = 'how' | 'filter' | 'ablations' | 'why' | 'models' | 'train' | 'step' | 'yours';
type Point = [x: number, y: number];

// The layout of the maps of one layer, from the data of its canvas; lengths in CSS pixels.
export interface Maps {
  layer: string;
  shown: number;
  rows: number;
  columns: number;
  gridColumns: number;
  cell: number;
  gap: number;
}

export interface Place {
  map: number;
  row: number;
  column: number;
}

export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export const boxOf = (page: Page, selector: string): Promise<Box> =>
  page.$eval(selector, (element) => {
    const { left, top, right, bottom } = element.getBoundingClientRect();
    return { left, top, right, bottom };
  });

// True if an element is in the window, to a pixel.
export async function isInSight(page: Page, selector: string): Promise<boolean> {
  const { left, top, right, bottom } = await boxOf(page, selector);
  const [width, height] = await page.evaluate(() => [innerWidth, innerHeight]);
  return left >= -1 && top >= -1 && right <= width + 1 && bottom <= height + 1;
}

export async function click(page: Page, selector: string): Promise<void> {
  const element = await page.waitForSelector(selector, { visible: true });
  // In the middle of the window nothing lies over it; the header and the epochs lie over what scrolls below them.
  await element!.evaluate((element) =>
    element.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' }),
  );
  await element!.click();
}

// Pauses a training that still runs. The page looks and clicks in one step, since the button is gone when the last epoch ends.
export async function pause(page: Page): Promise<void> {
  await page.$eval('.train', (train) => {
    if ((train as HTMLElement).dataset.state === 'running') train.querySelector<HTMLElement>('.main')!.click();
  });
  await page.waitForSelector('.train:is([data-state="paused"], [data-state="done"])');
}

export async function openTab(page: Page, tab: Tab): Promise<void> {
  await click(page, `[data-tab="${tab}"]`);
  await page.waitForSelector(`[data-tab="${tab}"][aria-selected="true"]`);
}

export async function tabsOf(page: Page): Promise<Tab[]> {
  return page.$$eval('[data-tab]', (tabs) => tabs.map((tab) => (tab as HTMLElement).dataset.tab as Tab));
}

// Reads the predicted class, as its index.
export async function predictionOf(page: Page): Promise<number> {
  return Number(await page.$eval('[data-answer]', (element) => (element as HTMLElement).dataset.answer));
}

// Reads the values by class. If there are many classes, the unlikely ones are first unfolded.
export async function logitsOf(page: Page): Promise<number[]> {
  const more = await page.$('[data-answer] button[aria-expanded="false"]');
  if (more !== null) await more.evaluate((button) => (button as HTMLButtonElement).click());
  return page.$$eval('[data-class][data-logit]', (rows) => {
    const logits: number[] = [];
    for (const row of rows as HTMLElement[]) logits[Number(row.dataset.class)] = Number(row.dataset.logit);
    return logits;
  });
}

export function largestDifference(a: number[], b: number[]): number {
  expect(a).toHaveLength(b.length);
  return Math.max(...a.map((value, i) => Math.abs(value - b[i])));
}

// Draws strokes on the pad. Points are shares of its width and height; the pen takes `steps` steps from each to the next.
export async function draw(page: Page, strokes: Point[][], steps = 8): Promise<void> {
  const pad = await page.waitForSelector('.pad canvas', { visible: true });
  await pad!.evaluate((element) => element.scrollIntoView({ block: 'center', behavior: 'instant' }));
  const box = (await pad!.boundingBox())!;
  const at = ([x, y]: Point): Point => [box.x + x * box.width, box.y + y * box.height];
  for (const [first, ...others] of strokes) {
    await page.mouse.move(...at(first));
    await page.mouse.down();
    for (const point of others) await page.mouse.move(...at(point), { steps });
    await page.mouse.up();
  }
}

export async function layersOf(page: Page): Promise<Maps[]> {
  return page.$$eval('canvas[data-layer]', (canvases) =>
    (canvases as HTMLElement[]).map(({ dataset }) => ({
      layer: dataset.layer!,
      shown: Number(dataset.shown),
      rows: Number(dataset.rows),
      columns: Number(dataset.columns),
      gridColumns: Number(dataset.gridColumns),
      cell: Number(dataset.cell),
      gap: Number(dataset.gap),
    })),
  );
}

// Moves the pointer to the middle of one number of one map.
export async function hover(page: Page, maps: Maps, { map, row, column }: Place): Promise<void> {
  const canvas = await page.waitForSelector(`canvas[data-layer="${maps.layer}"]`, { visible: true });
  const x = (map % maps.gridColumns) * (maps.columns * maps.cell + maps.gap) + (column + 0.5) * maps.cell;
  const y = Math.floor(map / maps.gridColumns) * (maps.rows * maps.cell + maps.gap) + (row + 0.5) * maps.cell;
  const at = await canvas!.evaluate(
    (element, x, y) => {
      // The strip scrolls within itself.
      const strip = element.closest('.strip')!;
      element.scrollIntoView({ block: 'nearest', inline: 'nearest', behavior: 'instant' });
      const [before, frame] = [element.getBoundingClientRect(), strip.getBoundingClientRect()];
      strip.scrollBy({
        left: before.left + x - frame.left - frame.width / 2,
        top: before.top + y - frame.top - frame.height / 2,
        behavior: 'instant',
      });
      const { left, top } = element.getBoundingClientRect();
      return { x: left + x, y: top + y };
    },
    x,
    y,
  );
  // Browsers differ in which way they round the half of a pixel, and a cell may have just one.
  await page.mouse.move(Math.ceil(at.x - 0.5), Math.ceil(at.y - 0.5));
}

// What the lens shows.
export interface LensCell {
  cell: string; // the shown cell: its layer, map, row and column
  sum: number; // the result of its arithmetic
  value: number; // its value in the layer's output
}

export async function lensOf(page: Page): Promise<LensCell> {
  return page.$eval('[data-testid="lens"]', (element) => {
    const { layer, map, row, column, sum, value } = (element as HTMLElement).dataset;
    return { cell: `${layer} ${map} ${row} ${column}`, sum: Number(sum ?? NaN), value: Number(value ?? NaN) };
  });
}

// Looks at some cells of every layer and compares the arithmetic of each with its value. The pointer goes to cells of layers that are drawn; the address holds a cell of a layer that is folded, or of a Branch.
export async function checkArithmetic(page: Page): Promise<void> {
  const check = async (cell: string) => {
    await expect.poll(async () => (await lensOf(page)).cell, { interval: 20 }).toBe(cell);
    const { sum, value } = await lensOf(page);
    const difference = Math.abs(sum - value) / Math.max(1, Math.abs(value));
    expect(difference, `${cell}: ${sum} for ${value}`).toBeLessThanOrEqual(1e-4);
  };
  const layers = await layersOf(page);
  for (const maps of layers) {
    for (const point of placesOf(maps)) {
      await hover(page, maps, point);
      await check(`${maps.layer} ${point.map} ${point.row} ${point.column}`);
    }
  }
  const names = ['input', ...(await architectureOf(page))];
  for (const name of names.filter((name) => layers.every(({ layer }) => layer !== name))) {
    await page.evaluate((hash) => (location.hash = hash), `#bench?i=0&c=${name}.0.0.0`);
    await check(`${name} 0 0 0`);
  }
}

// Corners and a cell between them, in the first, the last and a middle map.
function placesOf({ shown, rows, columns }: Maps): Place[] {
  const middle = (n: number) => Math.floor(n / 2);
  const points = [
    { map: 0, row: 0, column: 0 },
    { map: middle(shown), row: middle(rows), column: middle(columns) },
    { map: shown - 1, row: rows - 1, column: columns - 1 },
  ];
  return points.filter((a, i) => points.findIndex((b) => JSON.stringify(b) === JSON.stringify(a)) === i);
}

export async function architectureOf(page: Page): Promise<string[]> {
  return page.$eval('#payload', (script) => {
    const payload = JSON.parse(script.textContent ?? '') as { model: { architecture: { layers: { name: string }[] } } };
    return payload.model.architecture.layers.map((layer) => layer.name);
  });
}

// Returns the file that a click on this button saves. It leaves the page as text in base64, since a browser takes half a
// minute for an array of numbers.
export async function handedOver(page: Page, button: string): Promise<{ name: string; bytes: Uint8Array }> {
  const { name, url } = await page.evaluate(
    (button) =>
      new Promise<{ name: string; url: string }>((resolve) => {
        let blob: Blob;
        const make = URL.createObjectURL;
        URL.createObjectURL = (content: Blob) => make.call(URL, (blob = content));
        const click = HTMLAnchorElement.prototype.click;
        HTMLAnchorElement.prototype.click = function () {
          URL.createObjectURL = make;
          HTMLAnchorElement.prototype.click = click;
          const name = this.download;
          const reader = new FileReader();
          reader.onload = () => resolve({ name, url: reader.result as string });
          reader.readAsDataURL(blob);
        };
        document.querySelector<HTMLButtonElement>(button)!.click();
      }),
    button,
  );
  return { name, bytes: Buffer.from(url.slice(url.indexOf(',') + 1), 'base64') };
}
