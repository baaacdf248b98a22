// A photo of a digit, a shadow across it, dropped on the page: it is prepared and read as Python does.
import { readFileSync } from 'node:fs';
import type { Page } from 'puppeteer-core';
import { expect, inject, test } from 'vitest';
import { axeFindings, GRAVE, PAINTED } from './axe';
import { predictionOf, click, largestDifference, logitsOf } from './bench';
import { inEachBrowser, inOnePage } from './open';
import { expectedOf, pagePath, photoPath } from './reports';

const folder = inject('reports');
const path = pagePath(folder, 'mnist');

async function drop(page: Page, file: string): Promise<void> {
  await page.evaluate((base64) => {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([bytes], 'photo.png', { type: 'image/png' }));
    document.body.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
  }, readFileSync(file).toString('base64'));
  await page.waitForSelector('[data-opened="photo.png"]');
}

// Each stage's name, whether its step is on (null where there is no step), and its size.
type Shown = [name: string, on: boolean | null, size: number[]];
async function stagesOf(page: Page): Promise<Shown[]> {
  return page.$$eval('.steps li', (stages) =>
    stages.map((stage): Shown => [
      stage.querySelector('.name')!.textContent!.trim().toLowerCase(),
      stage.querySelector('input')?.checked ?? null,
      stage.querySelector('.size')!.textContent!.split(' × ').map(Number),
    ]),
  );
}

const toggle = (page: Page, step: string) => click(page, `.steps input[aria-describedby$="-${step}"]`);

inEachBrowser((browser, name) => {
  inOnePage(browser, path, (goTo) => {
    test('is read as Python reads it', async () => {
      const { hints, stages, logits } = expectedOf(folder, 'mnist').photo!;
      expect(hints).toEqual(['inverted']);
      const page = await goTo();
      await drop(page, photoPath(folder));
      await expect.poll(() => predictionOf(page)).toBe(7);
      expect(largestDifference(await logitsOf(page), logits)).toBeLessThanOrEqual(1e-4);
      const shown = await stagesOf(page);
      expect(Object.fromEntries(shown.map(([name, , size]) => [name, size]))).toEqual(stages);
      expect(shown.filter(([, on]) => on === false).map(([name]) => name)).toEqual(['deslant']);
      expect(await page.$$eval('[data-answer] .caution', (all) => all.map((element) => element.textContent))).toEqual([
        expect.stringContaining('Dark ink on light: it was inverted.'),
      ]);
    });

    test('fits a telephone, and nothing is wrong with it in both themes', async () => {
      const page = await goTo({ width: 320, height: 740 });
      await drop(page, photoPath(folder));
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(320);
      expect(await axeFindings(page, '.lens', GRAVE, name === 'firefox' ? PAINTED : undefined)).toEqual([]);
      await page.$eval('#theme-dark', (input) => (input as HTMLInputElement).click());
      expect(await axeFindings(page, '.lens', GRAVE, ['color-contrast'])).toEqual([]);
    });

    test('changes without the light step, and stands upright with the slant step', async () => {
      const page = await goTo();
      await drop(page, photoPath(folder));
      await expect.poll(() => predictionOf(page)).toBe(7);
      const read = await logitsOf(page);
      const cropped = async () => (await stagesOf(page)).find(([name]) => name === 'crop')![2];
      const [height, width] = await cropped();
      await toggle(page, 'light');
      await expect.poll(() => logitsOf(page)).not.toEqual(read);
      expect((await cropped())[0]).toBeGreaterThan(height); // the shadow is taken for ink
      await toggle(page, 'light');
      await expect.poll(() => logitsOf(page)).toEqual(read);
      await toggle(page, 'deslant');
      await expect.poll(async () => (await cropped())[1]).not.toBe(width);
      expect((await cropped())[0]).toBe(height);
    });
  });
});
