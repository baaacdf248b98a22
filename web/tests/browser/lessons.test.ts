// Works through the lessons as a reader would.
import type { Page } from 'puppeteer-core';
import { expect, inject, test } from 'vitest';
import { axeFindings, GRAVE } from './axe';
import { boxOf, predictionOf, click, draw, hover, layersOf, lensOf, openTab, type Place } from './bench';
import { inEachBrowser, inOnePage, visit } from './open';
import { pagePath } from './reports';

const folder = inject('reports');
const path = pagePath(folder, 'mnist');
const ALL = ['pixels', 'convolution', 'pooling', 'depth', 'softmax', 'training', 'overfitting', 'fails'];
// From side to side and down the pad, so that every part of it has ink.
const SCRIBBLE: [number, number][] = Array.from({ length: 17 }, (_, i) => [
  i % 2 === 0 ? 0.04 : 0.96,
  0.04 + (0.92 * i) / 16,
]);
const SEVEN: [number, number][] = [
  [0.25, 0.22],
  [0.74, 0.22],
  [0.45, 0.86],
];

const lessonOf = (page: Page) =>
  page.$eval(
    '.lessons',
    (element) => ({ ...(element as HTMLElement).dataset }) as { lesson: string; step: string; done: string },
  );
const textOf = (page: Page, selector: string) =>
  page.$eval(selector, (element) => (element as HTMLElement).innerText.replace(/\s+/g, ' '));

// Answers the question with which a lesson begins.
async function predict(page: Page, lesson: string, answer: string): Promise<void> {
  await page.waitForSelector(`.lessons[data-lesson="${lesson}"][data-step="predict"]`);
  await click(page, `[data-predict="${answer}"]`);
  await page.waitForSelector('.lessons[data-step="try"][data-done="0"]');
}
// Waits until so many tasks of the lesson are done, or all of them, which shows the conclusion.
const waitForTasks = (page: Page, tasks: number) =>
  page.waitForSelector(`.lessons:is([data-done="${tasks}"], [data-step="found"])`);

// Reads the conclusion, and whether the prediction was correct.
async function readConclusion(page: Page): Promise<{ text: string; isCorrect: boolean }> {
  await page.waitForSelector('.lessons[data-step="found"]');
  const isCorrect = await page.$eval('.found', (element) => (element as HTMLElement).dataset.right === 'true');
  const text = await textOf(page, '.found');
  expect(text).not.toMatch(/[{}]|undefined|NaN|null/);
  expect(await page.$eval('.lessons [aria-live]', (element) => element.textContent)).not.toBe('');
  return { text, isCorrect };
}

async function pointAt(page: Page, layer: string, cell: Place): Promise<void> {
  const maps = (await layersOf(page)).find((maps) => maps.layer === layer)!;
  await hover(page, maps, cell);
}
async function hold(page: Page, layer: string, target: Place): Promise<void> {
  await pointAt(page, layer, target);
  await page.mouse.down();
  await page.mouse.up();
  const cell = `${layer} ${target.map} ${target.row} ${target.column}`;
  await expect.poll(async () => (await lensOf(page)).cell).toBe(cell);
}
// Finds the brightest pixel of the image.
const findBrightest = (page: Page): Promise<Place> =>
  page.$eval('canvas[data-layer="input"]', (element) => {
    const canvas = element as HTMLCanvasElement;
    const [rows, columns] = [Number(canvas.dataset.rows), Number(canvas.dataset.columns)];
    const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
    let best = { map: 0, row: 0, column: 0 };
    let largest = -1;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const x = Math.floor(((column + 0.5) * canvas.width) / columns);
        const value = data[4 * (Math.floor(((row + 0.5) * canvas.height) / rows) * canvas.width + x)];
        if (value > largest) [largest, best] = [value, { map: 0, row, column }];
      }
    }
    return best;
  });

const LESSONS: Record<string, (page: Page) => Promise<void>> = {
  async pixels(page) {
    await predict(page, 'pixels', 'numbers');
    await pointAt(page, 'input', await findBrightest(page));
    await waitForTasks(page, 1);
    await pointAt(page, 'input', { map: 0, row: 0, column: 0 });
    await waitForTasks(page, 2);
    for (const map of [0, 1]) await pointAt(page, 'conv2d', { map, row: 4, column: 4 });
    const { text, isCorrect } = await readConclusion(page);
    expect(isCorrect).toBe(true);
    expect(text).toMatch(/^As you predicted: 784 numbers.* your bright pixel is 2\d\d, your dark one 0\./);
  },
  async convolution(page) {
    await predict(page, 'convolution', 'each');
    await hold(page, 'conv2d', { map: 3, row: 2, column: 2 });
    await waitForTasks(page, 1);
    for (let i = 0; i < 5; i++) await click(page, '[data-slide-step]');
    await waitForTasks(page, 2);
    await click(page, '.strip [data-column="conv2d"] .head button');
    const { text, isCorrect } = await readConclusion(page);
    expect(isCorrect).toBe(false);
    expect(text).toContain('You predicted “6,084, different at each place”. It is “9, the same at each place”.');
    expect(text).toContain(`add up to ${(await lensOf(page)).value.toFixed(2)} `);
  },
  async pooling(page) {
    await predict(page, 'pooling', 'to');
    await click(page, '.strip [data-column="max_pooling2d"] .head button'); // holds the brightest place
    await waitForTasks(page, 1);
    const { cell, value } = await lensOf(page);
    const [map, row, column] = cell.split(' ').slice(1).map(Number);
    for (let i = 0; i < 3; i++) await click(page, '[data-slide-step]');
    await waitForTasks(page, 2);
    await hold(page, 'conv2d', { map, row: 12, column: 12 });
    const { text, isCorrect } = await readConclusion(page);
    expect(isCorrect).toBe(true);
    expect(value).toBeGreaterThan(0);
    expect(text).toContain(
      `row ${row}, column ${column} of map ${map}, pooling kept ${value.toFixed(2)}, the largest of`,
    );
    expect(text).toMatch(new RegExp(`the largest of .*${value.toFixed(2).replace('.', '\\.')}`));
    expect(text).toContain('from 26 × 26 to 13 × 13');
  },
  async depth(page) {
    await predict(page, 'depth', 'large');
    await hold(page, 'max_pooling2d_1', { map: 5, row: 2, column: 2 });
    await waitForTasks(page, 1);
    await click(page, '.lens .swap');
    const slider = (await page.$('input[aria-label="Layers back"]'))!;
    await slider.focus();
    for (let i = 0; i < 2; i++) await page.keyboard.press('ArrowLeft');
    await waitForTasks(page, 2);
    await hold(page, 'conv2d', { map: 0, row: 5, column: 5 });
    const { text, isCorrect } = await readConclusion(page);
    expect(isCorrect).toBe(true);
    // The first convolution reads the image itself, so the lens shows its arithmetic in place of layers.
    await page.waitForSelector('.lens .work', { visible: true });
    expect(text).toContain("depends on 10 × 10 of the image's 28 × 28 pixels, the one of Convolution 1 on 3 × 3");
  },
  async softmax(page) {
    await predict(page, 'softmax', 'none');
    await click(page, '.pad button[title^="Clear"]');
    await draw(page, [SEVEN]); // a digit, which is one of the classes
    expect((await lessonOf(page)).done).toBe('0');
    await draw(page, [SCRIBBLE]);
    await waitForTasks(page, 1);
    const answer = await predictionOf(page);
    await hold(page, 'dense_1', { map: 3, row: 0, column: 0 });
    await waitForTasks(page, 2);
    await click(page, '.few button');
    const { text, isCorrect } = await readConclusion(page);
    expect(isCorrect).toBe(false);
    expect(text).toMatch(new RegExp(`the network answered ${answer} with [<>\\d. ]+ %, from a logit of [−\\d.]+\\.`));
  },
  async training(page) {
    await predict(page, 'training', 'rises');
    await page.focus('.epochs input');
    await page.keyboard.press('Home');
    await waitForTasks(page, 1);
    await openTab(page, 'step');
    await click(page, '[data-step-whole]');
    await waitForTasks(page, 2);
    await page.focus('.epochs input');
    await page.keyboard.press('End');
    const { text, isCorrect } = await readConclusion(page);
    expect(isCorrect).toBe(true);
    const [before, after] = text
      .match(/gave class \d a probability of ([\d.]+) %, and after one step on this image ([\d.]+) %/)!
      .slice(1)
      .map(Number);
    expect(after).toBeGreaterThan(before);
  },
  async overfitting(page) {
    await predict(page, 'overfitting', 'worse');
    await openTab(page, 'train');
    for (const [tasks, experiment] of ['few', 'augmented'].entries()) {
      await click(page, `[data-experiment="${experiment}"]`);
      await page.waitForSelector(`.lessons:is([data-done="${tasks + 1}"], [data-step="found"])`, { timeout: 120_000 });
    }
    const { text, isCorrect } = await readConclusion(page);
    expect(isCorrect).toBe(true);
    const gap = Number(text.match(/a gap of ([\d.]+) points/)![1]);
    expect(gap).toBeGreaterThan(5);
  },
  async fails(page) {
    await predict(page, 'fails', 'little');
    await openTab(page, 'why');
    const slider = (await page.waitForSelector('.fool [data-epsilon] input', { visible: true }))!;
    await slider.focus();
    for (let i = 0; i < 8 && (await lessonOf(page)).done === '0'; i++) await page.keyboard.press('ArrowLeft');
    await waitForTasks(page, 1);
    await click(page, '[data-show]');
    const { text } = await readConclusion(page);
    expect(text).toMatch(/A change of [\d.]+ grey levels per pixel \([<>\d. ]+ % of the range\) turned \d into \d\./);
    const [, label, answer, sure] = text.match(/Image [\d,]+ is (\d), .* as (\d) with [> ]*([\d.]+) %/)!;
    expect(answer).not.toBe(label);
    expect(await predictionOf(page)).toBe(Number(answer));
    // A run of two epochs with smoothed labels is hardly ever 90 % sure.
    expect(text).toContain(
      Number(sure) >= 90 ? 'A confident answer can be wrong' : 'no confidence separates right from wrong',
    );
  },
};

inEachBrowser((browser, name) => {
  test('all eight can be completed on this page, and each has a conclusion', async () => {
    await visit(browser(), path, { width: 1280, height: 720, fragment: '#bench?i=0' }, async ({ page }) => {
      await click(page, '[data-lessons]');
      expect(
        await page.$$eval('[data-open-lesson]', (all) =>
          all.map((element) => (element as HTMLElement).dataset.openLesson),
        ),
      ).toEqual(ALL);
      await click(page, '[data-open-lesson="pixels"]');
      for (const [i, lesson] of ALL.entries()) {
        await LESSONS[lesson](page);
        if (i === ALL.length - 1) continue;
        await page.focus('[data-next]');
        await page.keyboard.press('Enter');
        await expect.poll(() => page.evaluate(() => scrollY)).toBe(0); // also after a tool below the first screen
      }
      // accessibility.test.ts looks at the questions and tasks of all lessons; conclusions are alike, so the last is enough.
      if (name === 'chromium') expect(await axeFindings(page, '.lessons', GRAVE)).toEqual([]);
      await page.$$eval('.ways button', (all) =>
        (all.find((element) => element.textContent === 'All lessons') as HTMLElement).click(),
      );
      await expect.poll(() => page.$$eval('[data-open-lesson] b', (marks) => marks.length)).toBe(8);
      const results = await page.$$eval('.handout .result', (all) => all.map((result) => result.textContent));
      expect(results.filter((result) => result !== '')).toHaveLength(8); // on the sheet that is printed
    });
  });

  inOnePage(browser, path, (goTo) => {
    test('in a low window a lesson lies over neither pad, layers nor answer', async () => {
      const page = await goTo({ width: 1366, height: 625, fragment: '#bench?i=0&n=convolution' });
      await page.waitForSelector('.lessons[data-lesson="convolution"]');
      const lesson = await boxOf(page, '.lesson');
      for (const part of ['.pad .paper', '.strip', '.answer .name'])
        expect((await boxOf(page, part)).top, part).toBeGreaterThanOrEqual(lesson.bottom - 1);
    });

    test.each([
      { width: 1024, height: 768, fragment: '#bench?i=0&n=convolution' },
      { width: 768, height: 1024, fragment: '#bench?i=0&n=softmax' },
      { width: 1180, height: 820, fragment: '#bench?i=0&n=overfitting' },
    ])('a tablet of $width x $height shows every answer', async (view) => {
      const page = await goTo(view);
      await page.waitForSelector('.lessons [data-predict]');
      const hidden = await page.$eval('.lessons .content', (element) => element.scrollHeight - element.clientHeight);
      expect(hidden).toBeLessThanOrEqual(0);
    });

    test('a lesson hides neither pad, layers, answer nor lens, and is in the link', async () => {
      const options = { width: 1280, height: 720, fragment: '#bench?i=0&n=convolution' };
      const page = await goTo(options);
      await page.waitForSelector('.lessons[data-lesson="convolution"]');
      const boxes = await page.evaluate(() =>
        ['.lesson', '.pad .paper', '.strip', '.answer li:last-child', '.lens', '.bench > .epochs'].map((selector) => {
          const { left, right, top, bottom } = document.querySelector(selector)!.getBoundingClientRect();
          return { left, right, top, bottom };
        }),
      );
      const [lesson, ...parts] = boxes;
      for (const { top, bottom } of parts) {
        expect(top).toBeGreaterThanOrEqual(lesson.bottom);
        expect(bottom).toBeLessThanOrEqual(721);
      }
      const clipped = await page.$eval('.lessons .content', (element) => element.scrollHeight - element.clientHeight);
      expect(clipped).toBeLessThanOrEqual(0);
      await page.focus('[data-predict="same"]');
      await page.keyboard.press('Enter');
      await page.waitForSelector('.lessons[data-step="try"]');
      expect(await page.evaluate(() => document.activeElement?.className)).toContain('lessons');
      await page.keyboard.press('Escape');
      await page.waitForSelector('[data-lessons]');
      expect(await page.evaluate(() => (document.activeElement as HTMLElement).dataset.lessons)).toBe('');
      await expect.poll(() => page.url()).not.toContain('n=');
    });

    test('on a telephone it is a sheet that folds', async () => {
      const options = { width: 390, height: 844, fragment: '#bench?i=0&n=pixels' };
      const page = await goTo(options);
      await click(page, '[data-predict="numbers"]');
      const height = () => page.$eval('.lesson', (element) => element.getBoundingClientRect().height);
      const seen = () =>
        page.evaluate(() => {
          const [sheet, answer] = ['.lesson', '.answer'].map((selector) =>
            document.querySelector(selector)!.getBoundingClientRect(),
          );
          return [answer.bottom <= sheet.top, sheet.bottom <= innerHeight];
        });
      expect(await seen()).toEqual([true, true]);
      // The layer that the task is about stands above the sheet.
      const isShown = () =>
        page.evaluate(() => {
          const [sheet, layer] = ['.lesson', '.strip [data-column="input"] canvas'].map((selector) =>
            document.querySelector(selector)!.getBoundingClientRect(),
          );
          return layer.top >= 0 && layer.bottom <= sheet.top;
        });
      await expect.poll(isShown).toBe(true);
      const open = await height();
      // Clicked without the pointer, which might miss it: on a busy machine the page still scrolls to the layer.
      await page.$eval('.lessons .fold', (button) => (button as HTMLElement).click());
      await expect.poll(height).toBeLessThan(open);
      expect(await textOf(page, '.tasks')).toContain('bright pixel');
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    });
  });

  test('a network without the subject of a lesson has a sentence in its place', async () => {
    await visit(browser(), pagePath(folder, 'ann'), { fragment: '#bench?i=0&n=all' }, async ({ page }) => {
      const present = await page.$$eval('[data-open-lesson]', (all) =>
        all.map((element) => (element as HTMLElement).dataset.openLesson),
      );
      expect(present).toEqual(['pixels', 'softmax', 'training', 'overfitting', 'fails']);
      const missing = await page.$$eval('.missing p', (all) => all.map((element) => element.textContent));
      expect(missing).toHaveLength(3);
      expect(missing[0]).toBe('Convolution is left out: this network has no convolution.');
      await page.evaluate(() => (location.hash = '#bench?i=0&n=pooling'));
      await expect
        .poll(() => textOf(page, '.lessons .content'))
        .toBe('Pooling is left out: this network has no pooling.');
      await page.evaluate(() => (location.hash = '#bench?i=0&n=pixels'));
      await predict(page, 'pixels', 'numbers');
      await pointAt(page, 'input', await findBrightest(page));
      await pointAt(page, 'input', { map: 0, row: 0, column: 0 });
      for (const map of [0, 1]) await pointAt(page, 'dense', { map, row: 0, column: 0 });
      expect((await readConclusion(page)).text).toMatch(/Each unit of Dense.* weighs all of them/);
    });
  });

  test('every lesson opens for 26 classes and images that are not square', async () => {
    await visit(browser(), pagePath(folder, 'letters'), { fragment: '#bench?i=0&n=all' }, async ({ page }) => {
      for (const lesson of ALL) {
        await click(page, `[data-open-lesson="${lesson}"]`);
        await page.waitForSelector(`.lessons[data-lesson="${lesson}"]`);
        const [first] = await page.$$('[data-predict]');
        expect(await textOf(page, '.lessons .content')).not.toMatch(/[{}]|undefined|NaN/);
        await first.click();
        await page.waitForSelector('.lessons[data-step="try"]');
        const tasks = await page.$$eval('.tasks li', (all) => all.map((element) => element.textContent));
        expect(tasks.join(' ')).not.toMatch(/[{}]|undefined|NaN/);
        await page.$$eval('.ways button', (all) =>
          (all.find((element) => element.textContent === 'All lessons') as HTMLElement).click(),
        );
      }
    });
  });
});
