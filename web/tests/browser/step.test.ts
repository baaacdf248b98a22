// One training step in parts.
import { expect, inject, test } from 'vitest';
import { axeFindings, GRAVE } from './axe';
import { click, openTab } from './bench';
import { inEachBrowser, visit } from './open';
import { existingReports, pagePath } from './reports';

const folder = inject('reports');

inEachBrowser((browser, name) => {
  test('begins with the untrained network, by gradient descent, and leaves the trained one as it was', async () => {
    await visit(browser(), pagePath(folder, 'mnist'), { fragment: '#bench?i=0' }, async ({ page }) => {
      await page.waitForSelector('.epochs .track');
      await openTab(page, 'step');
      await expect.poll(() => page.url()).toMatch(/[?&]e=0&/);
      await click(page, '[data-step-whole]');
      const explanation = () => page.$eval('.step > p', (text) => (text as HTMLElement).innerText);
      const [before, after] = [...(await explanation()).matchAll(/([\d.]+) %/g)].map(([, share]) => Number(share));
      expect(before).toBeLessThan(30);
      expect(after).toBeGreaterThan(before);
      await click(page, '.step .button:nth-of-type(2)'); // back to the update
      expect(await explanation()).toContain('against its gradient');
      await openTab(page, 'how');
      await expect.poll(() => page.url()).not.toMatch(/[?&]e=/);
    });
  });

  test.each(existingReports(folder, ['mnist', 'ann', 'hostile']))(
    'a step of %s goes forward, back and makes the loss smaller',
    async (report) => {
      await visit(browser(), pagePath(folder, report), { fragment: '#bench?i=0' }, async ({ page }) => {
        await openTab(page, 'step');
        const phase = () => page.$eval('.step', (element) => (element as HTMLElement).dataset.phase);
        const losses = () =>
          page.$eval('.step .loss', (element) => [
            Number((element as HTMLElement).dataset.loss),
            Number((element as HTMLElement).dataset.after),
          ]);
        // The label is not the network's prediction, so that there is something to learn.
        await page.$eval('.step label select', (select) => {
          const list = select as HTMLSelectElement;
          list.value = String((Number(list.value) + 1) % list.options.length);
          list.dispatchEvent(new Event('change'));
        });
        await page.select('.step label:nth-of-type(2) select', '0.0001');
        const seen: (string | undefined)[] = [await phase()];
        for (let i = 0; seen.at(-1) !== 'answer' && i < 60; i++) {
          await click(page, '.step .main');
          seen.push(await phase());
        }
        expect([seen[0], seen[1], ...seen.slice(-3)]).toEqual(['forward', 'loss', 'input', 'update', 'answer']);
        // A picture for each phase that goes back through a layer: all but forward, loss, update and answer.
        expect(await page.$$eval('[data-back] canvas', (all) => all.length)).toBe(seen.length - 4);
        const [before, after] = await losses();
        expect(after).toBeLessThan(before);
        if (name === 'chromium') expect(await axeFindings(page, '.step', GRAVE)).toEqual([]);

        await click(page, '.step .main'); // the next step starts from the changed network
        await expect.poll(async () => (await losses())[0]).toBeCloseTo(after, 6);
        await click(page, '[data-playing]');
        await page.waitForFunction(() => Number(document.querySelector<HTMLElement>('.step')!.dataset.taken) > 4);
        await click(page, '[data-playing]');
        expect((await losses())[0]).toBeLessThan(after);
      });
    },
  );
});
