// Class names and a data set's name that would like to be markup are text everywhere.
import type { Page } from 'puppeteer-core';
import { expect, inject, test } from 'vitest';
import { click, openTab, tabsOf } from './bench';
import { inEachBrowser, visit } from './open';
import { expectedOf, pagePath } from './reports';

const folder = inject('reports');
const { class_names: names } = expectedOf(folder, 'hostile');

async function expectNoElement(page: Page): Promise<void> {
  const made = await page.$$eval(
    'img[src="x"], [onerror], [onload], iframe, object, embed, body script ~ img[src="x"]',
    (elements) => elements.map((element) => element.outerHTML),
  );
  expect(made).toEqual([]);
  const ids = await page.$$eval('script', (scripts) => scripts.map((element) => element.id));
  const texts = ['texts-keys', 'texts-de', 'texts-es', 'texts-fr', 'texts-zh-CN'];
  expect(ids).toEqual(['payload', 'engine', 'module', ...texts, 'script', '', '']); // the last two start the page
}

inEachBrowser((browser) => {
  test('hostile names make no element and run nothing, whatever is opened', async () => {
    await visit(browser(), pagePath(folder, 'hostile'), {}, async ({ page }) => {
      const answers = await page.$eval('[data-answer]', (element) => element.textContent ?? '');
      for (const name of names) expect(answers).toContain(name);
      const report = await page.$eval('#evaluation', (element) => element.textContent ?? '');
      for (const name of names.filter((text) => !text.includes('\n'))) expect(report).toContain(name);
      for (const tab of await tabsOf(page)) {
        await openTab(page, tab);
        await expectNoElement(page);
      }
      for (const summary of await page.$$('summary'))
        await summary.evaluate((element) => (element as HTMLElement).click());
      await click(page, 'td[data-true="0"] > button');
      await page.waitForSelector('#evaluation .panel li button');
      expect(await page.$eval('#evaluation .panel', (panel) => panel.textContent)).toContain(names[0]);
      await click(page, '#evaluation .panel li button');
      await expectNoElement(page);
    });
  });
});
