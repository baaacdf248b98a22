// Classes of the reader's own: drawn, trained, tried, saved as a file that Python opens and as a page that reopens.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ElementHandle, Page } from 'puppeteer-core';
import { afterAll, expect, inject, test } from 'vitest';
import { prepare } from '../../src/handwriting/prepare';
import { drawingSize, Raster, type Stroke } from '../../src/handwriting/strokes';
import type { Payload } from '../../src/payload/types';
import { packStrokes, unpackStrokes } from '../../src/state/strokes';
import { openEngine } from '../engine/cases';
import { drawing, NAMES } from '../symbols';
import { axeFindings, GRAVE } from './axe';
import { predictionOf, click, draw, handedOver, largestDifference, logitsOf, openTab } from './bench';
import { inEachBrowser, visit } from './open';
import { pagePath, photoPath, PYTHON } from './reports';

const reports = inject('reports');
const path = pagePath(reports, 'mnist');
const folder = mkdtempSync(join(tmpdir(), 'convscope-classes-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const [EXAMPLES, FURTHER] = [10, 10]; // drawings of each symbol: to train on, and to test with
const LEAST = 0.9; // share of the further drawings that must be correct
const TRIED = NAMES.map((name) => [name, EXAMPLES] as const); // the drawings whose logits are compared

const PROGRAM = `
import json, sys
import numpy as np
import convscope as cs
model = cs.load_model(sys.argv[1])
images = np.array(json.load(sys.stdin), np.uint8).reshape(-1, *model.architecture.input.shape)
print(json.dumps({"names": model.class_names, "provenance": model.provenance, "logits": model.logits(images).tolist()}))
`;

// Through the address, which holds the strokes of a pad.
async function show(page: Page, strokes: Stroke[]): Promise<void> {
  const before = await page.$eval('[data-answer]', (element) => element.outerHTML);
  await page.evaluate((text) => (location.hash = text), `#bench?t=yours&d=${packStrokes(strokes)}`);
  await page.waitForFunction((before) => document.querySelector('[data-answer]')?.outerHTML !== before, {}, before);
}

async function logitsOfDrawings(page: Page): Promise<number[][]> {
  const all: number[][] = [];
  for (const [name, number] of TRIED) {
    await show(page, drawing(name, number));
    all.push(await logitsOf(page));
  }
  return all;
}

const countsOf = (page: Page) =>
  page.$$eval('[data-own-class]', (cards) =>
    cards.map((card) => `${(card as HTMLElement).dataset.ownClass} ${card.querySelectorAll('li').length}`),
  );
const leavesFreely = (page: Page) =>
  page.evaluate(() => window.dispatchEvent(new Event('beforeunload', { cancelable: true })));

inEachBrowser((browser, name) => {
  test('ten drawings of each of five symbols are enough, and the network can be kept', async () => {
    const model = join(folder, `${name}.safetensors`);
    const copy = join(folder, `${name}.html`);
    let logits: number[][] = [];

    await visit(browser(), path, { fragment: '#bench?t=yours&d=' }, async ({ page }) => {
      for (let i = 2; i < NAMES.length; i++) await click(page, '[data-own="add-class"]');
      const cards = await page.$$('[data-own-class]');
      for (const [i, card] of cards.entries()) {
        const input = (await card.$('.name'))!;
        await input.click({ count: 3 });
        await page.keyboard.type(NAMES[i]);
        await page.keyboard.press('Enter');
      }
      expect(await page.$eval('[data-own="train"]', (button) => (button as HTMLButtonElement).disabled)).toBe(true);
      expect(await leavesFreely(page)).toBe(true);

      for (const [i, symbol] of NAMES.entries()) {
        for (let n = 0; n < EXAMPLES; n++) {
          const strokes = drawing(symbol, n);
          // With the pen, and the others through the address, which is quicker.
          if (n < 2) {
            await draw(
              page,
              strokes.map(({ points }) => points),
              1,
            );
          } else {
            await show(page, strokes);
          }
          await cards[i].$eval('.add', (button) => (button as HTMLButtonElement).click());
        }
      }
      expect(await countsOf(page)).toEqual(NAMES.map((symbol) => `${symbol} ${EXAMPLES}`));
      expect(await leavesFreely(page)).toBe(false);

      await click(page, '[data-own="train"]');
      await page.waitForSelector('.own[data-state="done"]', { timeout: 120_000 });
      const { seconds, right, heldOut } = await page.$eval('.own .result', (element) => ({
        ...(element as HTMLElement).dataset,
      }));
      expect(Number(seconds)).toBeLessThan(60); // the machine may be busy
      expect(await page.$eval('header [data-state]', (chip) => chip.textContent)).toContain('Your classes');
      expect(await page.$('header [data-accuracy]')).toBeNull(); // too few drawings to state an accuracy

      const correct: boolean[] = [];
      for (const [label, symbol] of NAMES.entries()) {
        for (let n = EXAMPLES; n < EXAMPLES + FURTHER; n++) {
          await show(page, drawing(symbol, n));
          correct.push((await predictionOf(page)) === label);
        }
      }
      const share = correct.filter(Boolean).length / correct.length;
      console.log(
        `${name}: ${NAMES.length} symbols, ${EXAMPLES} drawings each, trained in ${Number(seconds).toFixed(2)} s; ` +
          `${right} of ${heldOut} held-out examples and ${(100 * share).toFixed(0)} % of ${correct.length} further drawings correct`,
      );
      expect(share).toBeGreaterThanOrEqual(LEAST);
      const names = await page.$$eval('[data-class][data-logit]', (rows) => rows.map((row) => row.textContent));
      NAMES.forEach((symbol, i) => expect(names[i]).toContain(symbol));
      if (name === 'chromium') expect(await axeFindings(page, '.own', GRAVE)).toEqual([]);

      logits = await logitsOfDrawings(page);
      writeFileSync(model, (await handedOver(page, '.own [data-save="model"]')).bytes);
      const saved = await handedOver(page, '.own [data-save="page"]');
      writeFileSync(copy, saved.bytes);
      expect(saved.bytes.length).toBeLessThan(statSync(path).size);
      expect(await leavesFreely(page)).toBe(true);
      const { live } = await page.$eval('#payload', (element) => JSON.parse(element.textContent ?? '') as Payload);

      // The page's own network is one click away.
      await click(page, 'header [data-state="other"]');
      await page.waitForSelector('header [data-state="trained"]');
      expect(await logitsOf(page)).toHaveLength(10);

      const { height, width, channels } = live.models[0].architecture.input;
      const engine = await openEngine();
      const images = TRIED.map(([symbol, number]) => {
        const raster = new Raster(drawingSize([height, width]));
        raster.update(unpackStrokes(packStrokes(drawing(symbol, number)))!); // as the address keeps them
        const picture = raster.picture(live.handwriting.ink);
        return [...prepare(engine, picture, [height, width, channels], live.handwriting).image];
      });
      const python = JSON.parse(
        execFileSync(PYTHON, ['-c', PROGRAM, model], { input: JSON.stringify(images), encoding: 'utf8' }),
      ) as { names: string[]; provenance: object; logits: number[][] };
      expect(python.names).toEqual(NAMES);
      expect(python.provenance).toMatchObject({ dataset: 'own classes', num_images: 40, engine: 'page' });
      python.logits.forEach((row, i) => expect(largestDifference(row, logits[i])).toBeLessThan(1e-4));
      const predicted = execFileSync(PYTHON, ['-m', 'convscope', 'predict', model, photoPath(reports), '--json']);
      expect(predicted.toString()).toContain(`"${NAMES[0]}"`);
    });

    await visit(browser(), copy, {}, async ({ page }) => {
      expect(await page.title()).toBe(`A network for ${NAMES.join(', ')}`);
      expect(await page.$eval('header [data-state="trained"]', (chip) => chip.textContent)).toBe('Your classes');
      expect(await page.$('main')).toBeNull();
      expect(await page.$eval('noscript', (element) => element.textContent)).toMatch(/^<p class="without">.*<.p>$/);
      await openTab(page, 'yours');
      expect(await countsOf(page)).toEqual(NAMES.map((symbol) => `${symbol} ${EXAMPLES}`));
      expect(await logitsOfDrawings(page)).toEqual(logits);
      expect(await leavesFreely(page)).toBe(true);

      // It goes on from there, and can be saved in turn.
      await page.$eval('[data-own-class] li button', (button) => (button as HTMLButtonElement).click());
      expect((await countsOf(page))[0]).toBe(`${NAMES[0]} ${EXAMPLES - 1}`);
      expect(await leavesFreely(page)).toBe(false);
      await click(page, '[data-own="train"]');
      await page.waitForSelector('.own[data-state="done"]', { timeout: 120_000 });
      const again = await handedOver(page, '.own [data-save="page"]');
      expect(again.bytes.length).toBeLessThan(1.1 * statSync(copy).size);
    });
    if (name === 'firefox') return; // its script cannot be switched off
    await visit(browser(), copy, { script: false }, async ({ page }) => {
      expect(await page.evaluate(() => document.body.innerText)).toContain('which needs JavaScript');
    });
  });

  test('several files at once become examples, and a file that is no image is named', async () => {
    await visit(browser(), path, { fragment: '#bench?t=yours&d=' }, async ({ page }) => {
      const text = join(folder, 'notes.txt');
      writeFileSync(text, 'no image');
      const input = (await page.waitForSelector(
        '[data-own-class] input[type="file"]',
      )) as ElementHandle<HTMLInputElement>;
      await input.uploadFile(photoPath(reports), text, photoPath(reports));
      await expect.poll(async () => (await countsOf(page))[0]).toBe('A 2');
      const status = () => page.$eval('.own [role="status"]', (element) => element.textContent);
      await expect.poll(status).toBe('notes.txt is not a PNG, JPEG, GIF, WebP or BMP image.');
      await click(page, '[data-own="undo"]');
      expect((await countsOf(page))[0]).toBe('A 0');
    });
  });
});
