// The page on which a person decides about suspect labels: by keys and by taps, with undo, kept over a reload, and saved as a
// list that `convscope data fix` reads.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Page } from 'puppeteer-core';
import { expect, inject, test } from 'vitest';
import { axeFindings } from './axe';
import { inEachBrowser, visit } from './open';
import { pagePath, PYTHON } from './reports';

const path = pagePath(inject('reports'), 'labelling');

const textOf = (page: Page, selector: string) => page.$eval(selector, (element) => element.textContent);

async function press(page: Page, ...keys: string[]): Promise<void> {
  for (const key of keys) await page.keyboard.press(key as 'a');
}

// Presses the button that saves, and reads what the browser would have written.
async function save(page: Page): Promise<string> {
  return page.evaluate(async () => {
    let list: Blob | undefined;
    const create = URL.createObjectURL;
    URL.createObjectURL = (blob) => {
      list = blob as Blob;
      return '#';
    };
    document.getElementById('save')!.click();
    URL.createObjectURL = create;
    return list!.text();
  });
}

function fix(list: string): { train: Record<string, number>; test: Record<string, number> } {
  const folder = mkdtempSync(join(tmpdir(), 'convscope-fix-'));
  try {
    const file = join(folder, 'corrections.csv');
    writeFileSync(file, list);
    const words = ['data', 'fix', join(dirname(path), 'pictures'), file, '--out', join(folder, 'clean'), '--json'];
    return JSON.parse(execFileSync(PYTHON, ['-m', 'convscope', ...words], { encoding: 'utf8' }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

inEachBrowser((browser) => {
  test('takes decisions by keys, undoes them, keeps them over a reload and saves what data fix reads', async () => {
    await visit(browser(), path, {}, async ({ page }) => {
      expect(await textOf(page, '#count')).toBe('0 of 12 decided');
      expect(await textOf(page, '#given')).toBe('Labelled: 7');
      expect(await textOf(page, '#suggestion')).toBe('Suggested: <b>ü, 95.0\u00a0%');
      await press(page, 's'); // the suggestion
      expect(await textOf(page, '#what')).toBe('Picture 2 of 12');
      expect(await textOf(page, '#spoken')).toMatch(/^Changed to <b>ü\. Picture 2 of 12\. Labelled: <b>ü/);
      await press(page, 'Enter', 'd', '7', 'ArrowLeft');
      expect(await textOf(page, '#what')).toBe('Picture 4 of 12');
      expect(await textOf(page, '#decision')).toMatch(/^(Changed to|Kept:) 7$/);
      await press(page, 'u');
      expect(await textOf(page, '#decision')).toBe('');
      expect(await textOf(page, '#count')).toBe('3 of 12 decided');
      await page.keyboard.down('Shift');
      await press(page, 'K'); // a class called k, whose key alone keeps the label
      await page.keyboard.up('Shift');
      await press(page, 'ArrowLeft');
      expect(await textOf(page, '#decision')).toBe('Changed to k');
      await press(page, 'k');
      await page.keyboard.down('Control');
      await press(page, 'z');
      await page.keyboard.up('Control');
      expect(await textOf(page, '#decision')).toBe('Changed to k');
      await page.reload();
      expect(await textOf(page, '#count')).toBe('4 of 12 decided');
      expect(await textOf(page, '#what')).toBe('Picture 4 of 12');
      const list = await save(page);
      expect(list.split('\n').slice(0, 2)).toEqual([
        'file,split,index,class,action,new_class',
        '7/0.png,train,0,7,relabel,<b>ü',
      ]);
      expect(list.split('\n')).toHaveLength(6);
      expect(fix(list).train).toMatchObject({ kept: 1, relabelled: 2, dropped: 1 });
      await page.evaluate(() => localStorage.clear());
    });
  });

  test('names like formulas, with quotes and commas, are read back', async () => {
    await visit(browser(), path, {}, async ({ page }) => {
      for (let label = 2; label < 14; label++) {
        await page.$eval(`#choices [data-label="${label}"]`, (button) => (button as HTMLElement).click());
      }
      expect(await textOf(page, '#spoken')).toContain('All pictures are decided. Save the list.');
      const list = await save(page);
      expect(list).toContain(`,relabel,'=1+1`);
      expect(list).toContain(`,relabel,"it's, ""so"""`);
      const { kept, relabelled } = fix(list).train;
      expect(kept + relabelled).toBe(12);
      await page.evaluate(() => localStorage.clear());
    });
  });

  test('pictures without labels are saved as a table of files and labels, without those that were dropped', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'convscope-label-'));
    try {
      const unlabelled = join(folder, 'label.html');
      writeFileSync(unlabelled, readFileSync(path, 'utf8').replaceAll(/"given_label":\d+/g, '"given_label":null'));
      await visit(browser(), unlabelled, {}, async ({ page }) => {
        expect(await textOf(page, '#save')).toContain('labels.csv');
        await press(page, 'Enter', 'd', '7');
        const lines = (await save(page)).trimEnd().split('\n');
        expect(lines).toEqual(['file,label', '7/0.png,<b>ü', expect.stringMatching(/\.png,7$/)]);
        await page.evaluate(() => localStorage.clear());
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('works by taps on a phone, in both themes, and finds a class by its name', async () => {
    for (const theme of ['light', 'dark'] as const) {
      await visit(browser(), path, { width: 360, height: 740, theme }, async ({ page }) => {
        const sides = await page.$$eval(
          'main button',
          (buttons) =>
            buttons
              .filter((button) => button.checkVisibility())
              .map((button) => Math.min(button.clientWidth, button.clientHeight) + 2), // with its border
        );
        expect(Math.min(...sides)).toBeGreaterThanOrEqual(44);
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
        await page.click('#take');
        expect(await page.evaluate(() => document.activeElement?.id)).toBe('what');
        await page.type('#find', 'Class 3');
        const matches = await page.$$eval('#choices button', (all) => all.filter((b) => b.checkVisibility()).length);
        expect(matches).toBe(1);
        await press(page, 'Enter');
        expect(await textOf(page, '#count')).toBe('2 of 12 decided');
        expect(await axeFindings(page, 'body')).toEqual([]);
        await page.select('#language', 'de');
        expect(await textOf(page, '#count')).toBe('2 von 12 entschieden');
        expect(await page.evaluate(() => document.documentElement.lang)).toBe('de');
        await page.evaluate(() => localStorage.clear());
      });
    }
  });
});
