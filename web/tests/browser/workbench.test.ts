// Fixed colour scales, the kernel workbench, and the map of images beside the answer.
import { readFileSync } from 'node:fs';
import type { Page } from 'puppeteer-core';
import { expect, inject, test } from 'vitest';
import { withKernel } from '../../src/analysis/kernel';
import { layerTable } from '../../src/engine/architecture';
import type { Payload } from '../../src/payload/types';
import { unpackBytes, unpackWeights } from '../../src/payload/unpack';
import { openEngine } from '../engine/cases';
import { boxOf, click, draw, largestDifference, lensOf, logitsOf } from './bench';
import { inEachBrowser, visit } from './open';
import { pagePath } from './reports';

const path = pagePath(inject('reports'), 'mnist');
const SIZE = { width: 1440, height: 900 };

const goTo = (page: Page, hash: string) => page.evaluate((hash) => void (location.hash = hash), hash);
const scalesOf = (page: Page) =>
  page.$$eval('.strip .colour-scale', (all) => all.map((scale) => scale.getAttribute('aria-label')));
// The largest green of a layer's maps: 1 for zero in the palette, 231 at its end.
const brightness = (page: Page, layer: string) =>
  page.$eval(`canvas[data-layer="${layer}"]`, (element) => {
    const { width, height } = element as HTMLCanvasElement;
    const copy = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true })!;
    copy.drawImage(element as HTMLCanvasElement, 0, 0);
    const { data } = copy.getImageData(0, 0, width, height);
    return data.reduce((highest, value, i) => (i % 4 === 1 && data[i + 2] > 0 ? Math.max(highest, value) : highest), 0);
  });

inEachBrowser((browser) => {
  test('each layer has one scale for all images and epochs, and the maps of an empty pad are dark', async () => {
    await visit(browser(), path, { ...SIZE, fragment: '#bench?i=0' }, async ({ page }) => {
      const scales = await scalesOf(page);
      expect(scales).toHaveLength(6); // of convolutions, poolings, dense layer and output
      expect(scales[0]).toMatch(/^Colours from 0 to [\d.]+, the same for every image/);
      expect(scales[5]).toMatch(/^Colours from −([\d.]+) to \1,/);
      const columns = await page.$$eval('.strip [data-column]', (all) =>
        all.map((column) => {
          const [scale, maps] = ['.colour-scale', 'canvas'].map((part) => column.querySelector(part));
          if (!scale?.checkVisibility()) return null; // maps that fill the height leave no room for it
          return scale.getBoundingClientRect().top >= maps!.getBoundingClientRect().bottom;
        }),
      );
      expect(columns.filter((below) => below !== null)).toEqual(Array(5).fill(true));
      expect(await brightness(page, 'conv2d')).toBeGreaterThan(180);
      for (const view of ['#bench?i=3', '#bench?i=1&e=0']) {
        await goTo(page, view);
        await page.waitForFunction(() => document.querySelector('.strip canvas') !== null);
        expect(await scalesOf(page), view).toEqual(scales);
      }
      await goTo(page, '#bench?i=0');
      await click(page, '.pad button[title^="Clear"]');
      await page.waitForSelector('[data-answer=""]');
      for (const layer of ['conv2d', 'max_pooling2d']) expect(await brightness(page, layer)).toBeLessThan(60);
      // In the lens, the result has the scale of its layer.
      const lens = await page.$eval('.lens figure:last-child .colour-scale', (scale) =>
        scale.getAttribute('aria-label'),
      );
      expect(lens).toBe(scales[0]);
    });
  });

  test('the lens keeps its filter when another image is chosen', async () => {
    await visit(browser(), path, { ...SIZE, fragment: '#bench?i=0' }, async ({ page }) => {
      const filter = async () => (await lensOf(page)).cell.split(' ').slice(0, 2).join(' ');
      const shown = await filter();
      for (const i of [1, 2, 3, 4]) {
        await goTo(page, `#bench?i=${i}`);
        await page.waitForSelector(`.example[aria-pressed="true"]`);
        expect(await filter()).toBe(shown);
      }
      const { left, top } = await boxOf(page, 'canvas[data-layer="conv2d_1"]');
      await page.mouse.move(left + 5, top + 5);
      await expect.poll(filter).toBe('conv2d_1 0');
      await page.mouse.move(5, 5);
      await goTo(page, '#bench?i=0');
      await expect.poll(() => page.evaluate(() => location.hash)).toContain('i=0');
      expect(await filter()).toBe('conv2d_1 0');
    });
  });

  test('a number of a kernel changes map and answer as the engine computes them, and Original takes it back', async () => {
    const payload = JSON.parse(/id="payload">(.*?)<\/script>/s.exec(readFileSync(path, 'utf8'))![1]) as Payload;
    const { architecture, weights } = payload.live.models[0];
    const [table, learned] = [layerTable(architecture), await unpackWeights(weights)];
    const pixels = (await unpackBytes(payload.live.images.pixels)).subarray(0, 784);
    const logitsWith = async (values: number[]) => {
      const network = (await openEngine()).network(
        architecture,
        withKernel(table, learned, table[0], 3, { map: 0, values }),
      );
      return [...network.logits(pixels)];
    };
    await visit(browser(), path, { ...SIZE, fragment: '#bench?i=0&c=conv2d.3.12.12&t=filter' }, async ({ page }) => {
      const before = await logitsOf(page);
      await page.waitForSelector('.workbench .grid input');
      const kernel = Array.from({ length: 9 }, (_, i) => learned['conv2d/kernel'][i * 16 + 3]);
      expect(largestDifference(before, await logitsWith(kernel))).toBeLessThan(1e-4);
      const [first] = await page.$$('.workbench .grid input');
      await first.click({ count: 3 });
      await page.keyboard.type('-1.5');
      await page.keyboard.press('Enter');
      const typed = await logitsWith([-1.5, ...kernel.slice(1)]);
      await expect.poll(async () => largestDifference(await logitsOf(page), typed)).toBeLessThan(1e-4);
      expect(largestDifference(before, typed)).toBeGreaterThan(0.01);
      expect(await page.$eval('[data-state]', (state) => state.textContent)).toContain('kernel changed');
      // A drag of 40 pixels upwards adds 0.4 to the middle of the kernel.
      const { left, right, top, bottom } = await boxOf(page, '.workbench .grid input:nth-of-type(5)');
      const [x, y] = [(left + right) / 2, (top + bottom) / 2];
      await page.mouse.move(x, y);
      await page.mouse.down();
      await page.mouse.move(x, y - 40, { steps: 4 });
      await page.mouse.up();
      const middle = Number(kernel[4].toFixed(2)) + 0.4;
      const dragged = await logitsWith([-1.5, ...kernel.slice(1, 4), middle, ...kernel.slice(5)]);
      await expect.poll(async () => largestDifference(await logitsOf(page), dragged)).toBeLessThan(1e-3);
      // With another stride only the map of the workbench changes.
      expect(await page.$eval('.workbench', (bench) => (bench as HTMLElement).dataset.workbench)).toBe('26 26');
      await page.evaluate(() => document.querySelectorAll<HTMLElement>('.workbench [type="radio"]')[1].click());
      await page.waitForSelector('.workbench[data-workbench="13 13"]');
      expect(largestDifference(await logitsOf(page), dragged)).toBeLessThan(1e-3);
      expect(await page.$eval('.workbench p', (text) => text.textContent)).toContain('Only this map');
      await click(page, '.presets button');
      await expect.poll(async () => largestDifference(await logitsOf(page), before)).toBeLessThan(1e-6);
    });
  });

  test('the ring in the map of images moves while one draws, and a dot opens its image', async () => {
    await visit(browser(), path, { ...SIZE, fragment: '#bench?i=0' }, async ({ page }) => {
      const ring = () => page.$eval('.whereabouts', (map) => (map as HTMLElement).dataset.whereabouts);
      await expect.poll(ring).not.toBe('');
      const positions = [await ring()];
      for (const stroke of [
        [
          [0.3, 0.2],
          [0.7, 0.2],
        ],
        [
          [0.7, 0.2],
          [0.45, 0.8],
        ],
      ] as [number, number][][]) {
        await draw(page, [stroke]);
        positions.push(await ring());
      }
      expect(new Set(positions).size).toBe(3);
      const [here, map] = await Promise.all([boxOf(page, '.whereabouts .here'), boxOf(page, '.whereabouts .map')]);
      expect(here.left >= map.left && here.right <= map.right && here.top >= map.top && here.bottom <= map.bottom).toBe(
        true,
      );
      const classes = await boxOf(page, '.answer li:last-child');
      expect(map.top).toBeGreaterThanOrEqual(classes.bottom);
      await expect
        .poll(async () => {
          await page.mouse.move(map.left + Math.random() * 200 + 20, (map.top + map.bottom) / 2);
          return page.$('.whereabouts .pointed canvas');
        })
        .not.toBeNull();
      await page.mouse.down();
      await page.mouse.up();
      await page.waitForFunction(() => /[?&]i=\d+/.test(location.hash));
      // Without room for it, a button opens it over the layers, and Escape closes it.
      await page.setViewport({ width: 1280, height: 720 });
      await page.waitForSelector('.whereabouts.closed');
      await click(page, '[data-open-map]');
      await page.waitForSelector('.whereabouts.large .neighbours button');
      const [large, answer] = await Promise.all([boxOf(page, '.whereabouts .map'), boxOf(page, '.answer ol')]);
      expect(large.right).toBeLessThan(answer.left);
      expect(large.left).toBeGreaterThan((await boxOf(page, '.pad canvas')).right);
      await page.keyboard.press('Escape');
      await page.waitForSelector('.whereabouts.closed');
    });
  });

  test('the steps of the preparation that change nothing are left out, and its arithmetic is not cut', async () => {
    await visit(browser(), path, { width: 1366, height: 768, fragment: '#bench' }, async ({ page }) => {
      await draw(page, [
        [
          [0.3, 0.2],
          [0.7, 0.2],
          [0.45, 0.8],
        ],
      ]);
      await click(page, '.preparation');
      await page.waitForSelector('.steps li');
      const pictures = await page.$$eval('.steps canvas', (all) =>
        all.map((canvas) => (canvas as HTMLCanvasElement).toDataURL()),
      );
      const off = await page.$$eval('.steps .off', (all) => all.length);
      expect(new Set(pictures).size).toBe(pictures.length - off);
      const [wide, room] = await page.$eval('.work', (work) => [work.scrollWidth, work.clientWidth]);
      expect(wide).toBeLessThanOrEqual(room);
    });
  });
});
