// Takes README's picture of a report, in both themes, and writes the digests of the page's files that drew it.
//
//   node tools/readme_picture.mjs REPORT FOLDER
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { launch } from './browsers.mjs';

const [report, folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: node tools/readme_picture.mjs REPORT FOLDER');
  process.exit(2);
}
const ROOT = resolve(import.meta.dirname, '../..');
const BUNDLE = ['bench.css', 'bench.js', 'engine.wasm'].map((name) => `report/bundle/${name}`);
const DRAWN_BY = [...BUNDLE, 'report/page.css', 'texts/catalogues/en.json'];
// The first test image, a seven, and a cell of the second convolution that responds to its stem.
const FRAGMENT = '#bench?i=0&c=conv2d_1.18.6.8';

const browser = await launch('chromium');
const page = await browser.newPage();
await page.setViewport({ width: 1280, height: 720, deviceScaleFactor: 1.25 });
await page.goto(pathToFileURL(resolve(report)).href + FRAGMENT);
await page.waitForSelector('html[data-ready="true"]');
for (const theme of ['light', 'dark']) {
  await page.$eval(`#theme-${theme}`, (input) => input.click());
  await new Promise((done) => setTimeout(done, 1200)); // milliseconds: the bench computes in slices
  await page.screenshot({ path: join(folder, `report-${theme}.png`) });
}
await browser.close();

// In the form of sha256sum, so that `sha256sum --check docs/report.sha256` tells whether the picture is of this page.
const digest = (path) => createHash('sha256').update(readFileSync(path)).digest('hex');
const lines = DRAWN_BY.map((name) => join(ROOT, 'src/convscope', name)).map(
  (path) => `${digest(path)}  ${relative(ROOT, path)}\n`,
);
writeFileSync(join(folder, 'report.sha256'), lines.join(''));
