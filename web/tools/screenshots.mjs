// Takes pictures of a report, for people to look at: both themes, six sizes, the whole page and the bench with each
// of its instruments.
//
//   node tools/screenshots.mjs REPORT FOLDER [FRAGMENT]
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { launch } from './browsers.mjs';

const [report, folder, fragment = '#bench?i=0&c=conv2d_1.12.4.7'] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: node tools/screenshots.mjs REPORT FOLDER [FRAGMENT]');
  process.exit(2);
}
const url = pathToFileURL(resolve(report)).href + fragment;
const SIZES = [
  [1280, 720],
  [1440, 900],
  [1920, 1080],
  [2560, 1440],
  [900, 700],
  [390, 844],
];
const SETTLED = 1200; // ms, for what is computed in slices
mkdirSync(folder, { recursive: true });

const settle = () => new Promise((done) => setTimeout(done, SETTLED));
const browser = await launch('chromium');
for (const [width, height] of SIZES) {
  for (const theme of ['light', 'dark']) {
    const page = await browser.newPage();
    await page.setViewport({ width, height });
    await page.goto(url);
    await page.waitForSelector('html[data-ready="true"]');
    await page.$eval(`#theme-${theme}`, (input) => input.click());
    await settle();
    const file = (what) => join(folder, `${what}-${width}-${theme}.png`);
    await page.screenshot({ path: file('page'), fullPage: true });
    for (const tab of await page.$$eval('[data-tab]', (tabs) => tabs.map((element) => element.dataset.tab))) {
      await page.$eval(`[data-tab="${tab}"]`, (button) => button.click());
      await settle();
      const bench = await page.$('#bench');
      await bench.screenshot({ path: file(`bench-${tab}`) });
    }
    await page.close();
  }
}
await browser.close();
