// A network that trains in the page.
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Page } from 'puppeteer-core';
import { afterAll, expect, inject, test } from 'vitest';
import type { Classifier } from '../../src/module/head.mjs';
import { axeFindings, GRAVE } from './axe';
import { click, handedOver, largestDifference, logitsOf, openTab, pause } from './bench';
import { inEachBrowser, visit } from './open';
import { firstImages, pagePath } from './reports';

const path = pagePath(inject('reports'), 'mnist');
const CHANCE = 0.1;
const folder = mkdtempSync(join(tmpdir(), 'convscope-training-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// Runs an experiment to its end. Returns the gap in points, and its duration in seconds.
async function experiment(page: Page, id: string): Promise<{ gap: number; seconds: number }> {
  const start = performance.now();
  await click(page, `[data-experiment="${id}"]`);
  await page.waitForSelector('.train[data-state="running"], .train[data-state="done"]');
  await page.waitForSelector('.train[data-state="done"]', { timeout: 120_000 });
  const seconds = (performance.now() - start) / 1000;
  return {
    gap: await page.$eval('[data-points]', (element) => Number((element as HTMLElement).dataset.points)),
    seconds,
  };
}

inEachBrowser((browser, name) => {
  test('100 images are memorised, augmentation makes the gap smaller, and the network can be saved', async () => {
    await visit(browser(), path, { fragment: '#bench?i=0' }, async ({ page }) => {
      await openTab(page, 'train');
      const few = await experiment(page, 'few');
      console.log(`${name}: 30 epochs of 100 images in ${few.seconds.toFixed(1)} s, gap ${few.gap.toFixed(1)} points`);
      expect(few.gap).toBeGreaterThan(5);
      const shown = await page.$eval('header [data-accuracy]', (element) =>
        Number((element as HTMLElement).dataset.accuracy),
      );
      expect(shown).toBe(Number(await page.$eval('.train', (train) => (train as HTMLElement).dataset.accuracy)));
      expect(await page.$eval('header [data-state]', (chip) => chip.textContent)).toContain('Trained here · epoch 30');
      expect(await page.$eval('.train .when', (when) => when.textContent.trim())).toBe('Epoch 30');
      expect(await page.$eval('.epochs p', (note) => note.textContent)).not.toContain('being trained'); // it has ended

      const augmented = await experiment(page, 'augmented');
      expect(augmented.gap).toBeLessThan(few.gap);
      expect(await page.$$eval('.preview canvas', (copies) => copies.length)).toBeGreaterThan(3);
      if (name === 'chromium') expect(await axeFindings(page, '.train', GRAVE)).toEqual([]);

      const { name: file, bytes } = await handedOver(page, '.train [data-save="model"]');
      expect(await page.$eval('.save code', (code) => code.textContent)).toContain(`evaluate ${file} --dataset mnist`);
      const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
      const header = new TextDecoder().decode(bytes.subarray(8, 8 + Number(length)));
      const { provenance } = JSON.parse(
        (JSON.parse(header) as { __metadata__: { convscope: string } }).__metadata__.convscope,
      ) as { provenance: Record<string, unknown> };
      expect(provenance).toMatchObject({ dataset: 'mnist', num_images: 100, engine: 'page', epoch: 30 });

      const logits = await logitsOf(page);
      const accuracy = await page.$eval('header [data-accuracy]', (element) => element.textContent);
      const module = join(folder, 'model.mjs');
      writeFileSync(module, (await handedOver(page, '.train [data-save="module"]')).bytes);
      const { load } = (await import(pathToFileURL(module).href)) as { load: () => Promise<Classifier> };
      const network = await load();
      expect(largestDifference(logits, [...network.logits(await firstImages(path, 1))])).toBeLessThan(1e-5);
      expect(network.classNames).toHaveLength(10);

      const saved = await handedOver(page, '.train [data-save="page"]');
      expect(saved.bytes.length).toBeLessThan(statSync(path).size);
      const copy = join(folder, `${name}.html`);
      writeFileSync(copy, saved.bytes);
      await visit(browser(), copy, { fragment: '#bench?i=0' }, async ({ page: reopened }) => {
        expect(await logitsOf(reopened)).toEqual(logits);
        expect(await reopened.$eval('header [data-state]', (chip) => chip.textContent)).toContain(
          'Trained in the page · 30 epochs',
        );
        expect(await reopened.$eval('header [data-accuracy]', (element) => element.textContent)).toBe(accuracy);
        expect(await reopened.$('[data-parity]')).toBeNull(); // Python has no logits of it
        await openTab(reopened, 'train');
        await reopened.waitForSelector('.train .main:not(:disabled)');
      });
    });
  });

  test('a fresh network learns in the page, pauses, and leaves the bench again', async () => {
    await visit(browser(), path, { fragment: '#bench?i=0' }, async ({ page }) => {
      const trained = await logitsOf(page);
      const scores = await page.$eval('.epochs .told', (element) => element.textContent);
      expect(scores).toContain('train: measured while learning, on augmented images');
      const state = () =>
        page.$eval('.train', (train) => {
          const { step, accuracy } = (train as HTMLElement).dataset;
          return { step: Number(step), accuracy: Number(accuracy) };
        });
      await openTab(page, 'train');
      await click(page, '.train .main');
      await expect.poll(async () => (await state()).accuracy, { timeout: 60_000 }).toBeGreaterThan(5 * CHANCE);
      expect(await logitsOf(page)).not.toEqual(trained); // it stands on the bench while it learns
      await pause(page);
      const { step, accuracy } = await state();
      expect(step).toBeGreaterThan(5);
      expect(accuracy).toBeGreaterThan(5 * CHANCE);
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect((await state()).step).toBe(step);
      // The header has the network of this step, the large figures that of the last whole epoch.
      const chip = await page.$eval('header [data-state]', (element) => element.textContent);
      const epoch = Math.floor(Number(/epoch ([\d.]+)/.exec(chip)![1]));
      const when = () => page.$eval('.train .when', (element) => element.textContent.trim());
      await expect.poll(when).toBe(epoch === 0 ? 'Untrained' : `Epoch ${epoch}`);
      await page.$$eval('.train .buttons button', (buttons) => {
        const back = buttons.find((button) => button.textContent?.includes('Back to the trained model'));
        (back as HTMLButtonElement).click();
      });
      await expect.poll(() => logitsOf(page)).toEqual(trained);
    });
  });
});
