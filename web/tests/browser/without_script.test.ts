// The report with scripts switched off.
import { expect, inject, test } from 'vitest';
import { inEachBrowser, visit } from './open';
import { pagePath } from './reports';

const path = pagePath(inject('reports'), 'mnist');

// Firefox has no command that switches scripts off for one page.
inEachBrowser(
  (browser) => {
    test('verdict, tables and pictures can be read without a script', async () => {
      await visit(browser(), path, { script: false }, async ({ page }) => {
        const seen = await page.evaluate(() => ({
          ready: document.documentElement.dataset.ready,
          without: document.querySelector<HTMLElement>('.without')?.innerText,
          verdict: document.getElementById('verdict')?.innerText ?? '',
          rows: document.querySelectorAll('main table tr').length,
          cells: document.querySelectorAll('td[data-true]').length,
          pictures: [...document.querySelectorAll<HTMLImageElement>('main img')].map((element) => element.naturalWidth),
          charts: document.querySelectorAll('main figure svg').length,
        }));
        expect(seen.ready).toBeUndefined();
        expect(seen.without).toContain('Without JavaScript you see the report.');
        expect(seen.verdict).toMatch(/9\d\.\d\d\s% \[9\d\.\d\d, 9\d\.\d\d\]/);
        expect(seen.verdict).toContain('10,000 test images');
        expect(seen.rows).toBeGreaterThan(50);
        expect(seen.cells).toBe(100);
        expect(seen.pictures.length).toBeGreaterThan(100);
        expect(Math.min(...seen.pictures)).toBeGreaterThan(0);
        expect(seen.charts).toBeGreaterThanOrEqual(4);
        await page.click('header [popovertarget="contents"]');
        await page.click('nav a[href="#model"]');
        const table = () => page.$eval('#model table', (element) => (element as HTMLElement).checkVisibility());
        await expect.poll(table).toBe(true);
      });
    });
  },
  ['chromium'],
);
