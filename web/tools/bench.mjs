// Times a report in both browsers, from the disk, and prints a table.
//
//   node tools/bench.mjs REPORT [BROWSER ...]
//
// REPORT is the report.html of a run.
import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'vite';
import { BROWSERS, executable, launch } from './browsers.mjs';

const [report, ...names] = process.argv.slice(2);
if (report === undefined) {
  console.error('usage: node tools/bench.mjs REPORT [BROWSER ...]');
  process.exit(2);
}
const url = pathToFileURL(resolve(report)).href;
// How often each is timed: enough for a median, in a few minutes.
const OPENINGS = 5;
const EPOCHS = 5;
const STROKES = 3;

// Prints a row of the table: the median, the range and the number of the figures.
function row(what, numbers, unit, digits) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  const [low, middle, high] = [0, 0.5, 1].map((share) => at(share).toFixed(digits));
  const tail = sorted.length >= 20 ? `, 95 % within ${at(0.95).toFixed(digits)}` : '';
  console.log(`| ${what} | ${middle} ${unit} | [${low}, ${high}]${tail} | ${sorted.length} |`);
}

async function open(browser) {
  const page = await browser.newPage();
  await page.setViewport({ width: 1440, height: 900 });
  await page.evaluateOnNewDocument(() => {
    new MutationObserver((_, observer) => {
      if (document.documentElement?.dataset.ready === undefined) return;
      window.readyAt = performance.now();
      observer.disconnect();
    }).observe(document, { subtree: true, attributes: true, attributeFilter: ['data-ready'] });
  });
  await page.goto(url);
  await page.waitForSelector('html[data-ready="true"]');
  return page;
}

// Times some openings of the page: until it is ready, and from the first move over a map until the lens shows it.
async function openings(browser) {
  const [ready, first] = [[], []];
  for (let i = 0; i < OPENINGS; i++) {
    const page = await open(browser);
    ready.push(await page.evaluate(() => window.readyAt));
    await page.evaluate(() => {
      window.shownAfter = new Promise((resolve) => {
        const begin = () => {
          const start = performance.now();
          requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - start)));
        };
        window.addEventListener('pointermove', begin, { capture: true, once: true });
      });
    });
    const box = await (await page.$('.flow canvas')).boundingBox();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    first.push(await page.evaluate(() => window.shownAfter));
    await page.close();
  }
  return { ready, first };
}

// Draws on the pad, and times each move of the pointer: until every layer is painted, and what of it the page computes.
async function strokes(page) {
  await page.evaluate(() => {
    window.frameTimes = [];
    window.workTimes = [];
    const pad = document.querySelector('.pad canvas');
    let start = 0;
    const begin = () => (start = performance.now());
    // Svelte does what follows from an event before the event reaches the window again.
    const end = (event) => {
      if (event.buttons === 0 || !pad.parentElement.contains(event.target)) return;
      window.frameTimes.push(performance.now() - start);
      window.workTimes.push(Number(document.querySelector('[data-frame-ms]').dataset.frameMs));
    };
    window.addEventListener('pointermove', begin, { capture: true });
    window.addEventListener('pointermove', end);
  });
  const pad = await page.$('.pad canvas');
  const box = await pad.boundingBox();
  const at = (x, y) => [box.x + x * box.width, box.y + y * box.height];
  for (let i = 0; i < STROKES; i++) {
    await page.mouse.move(...at(0.25, 0.2));
    await page.mouse.down();
    await page.mouse.move(...at(0.75, 0.2), { steps: 40 });
    await page.mouse.move(...at(0.45, 0.85), { steps: 60 });
    await page.mouse.up();
    await page.keyboard.down('Control');
    await page.keyboard.press('z');
    await page.keyboard.up('Control');
  }
  return page.evaluate(() => ({ frames: window.frameTimes, works: window.workTimes }));
}

// Trains a network to its end, and returns the seconds that it took.
function train(page) {
  return page.evaluate(
    () =>
      new Promise((resolve) => {
        const panel = document.querySelector('.train[data-state]');
        const start = performance.now();
        const observer = new MutationObserver(() => {
          if (panel.dataset.state !== 'done') return;
          observer.disconnect();
          resolve((performance.now() - start) / 1000);
        });
        observer.observe(panel, { attributes: true });
        panel.querySelector('.main').click();
      }),
  );
}

// Measures the memory of all processes of the browser in MB. A page of memory that processes share counts in parts. Linux only.
function memory(browser) {
  const textOf = (path) => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return ''; // it has ended
    }
  };
  const children = new Map();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const parent = Number(textOf(`/proc/${pid}/stat`).split(') ').at(-1).split(' ')[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(pid)]);
  }
  const memoryOf = (pid) => {
    const own = Number(/^Pss:\s+(\d+) kB/m.exec(textOf(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) / 1000;
    return own + (children.get(pid) ?? []).reduce((sum, child) => sum + memoryOf(child), 0);
  };
  return memoryOf(browser.process().pid);
}

const measure = await build({
  configFile: false,
  logLevel: 'error',
  build: {
    write: false,
    target: 'es2022',
    lib: { entry: join(import.meta.dirname, 'measure.ts'), formats: ['iife'], name: 'measure' },
  },
});
const script = measure[0].output[0].code;

const [cpu] = cpus();
console.log(
  `${cpu.model}, ${cpus().length} cores; ${process.platform}; Node ${process.version}; median [min, max] (n)`,
);
for (const name of names.length > 0 ? names : BROWSERS) {
  if (executable(name) === null) {
    console.log(`\n${name} is not installed`);
    continue;
  }
  const browser = await launch(name);
  console.log(`\n${await browser.version()}\n\n| what | median | [min, max] | n |\n| --- | --- | --- | --- |`);
  const { ready, first } = await openings(browser);
  row('from opening until ready', ready, 'ms', 0);
  row('from the first move over a map until it is in the lens', first, 'ms', 0);
  const before = process.platform === 'linux' ? memory(browser) : null;
  const page = await open(browser);
  if (before !== null) row('memory of an open page', [memory(browser) - before], 'MB', 0);
  const { frames, works } = await strokes(page);
  row('a pointer move on the pad, until every layer is painted', frames, 'ms', 1);
  row('of it the network and the painting', works, 'ms', 1);
  const times = await page.evaluate(`${script}; measure.engineTimes()`);
  row('one image, every layer', times.forward, 'ms', 3);
  row(`${times.filters} ablations of one filter, one image`, times.image, 'ms', 2);
  row(`the same, ${times.sample} images`, times.all, 'ms', 0);
  row('an epoch of 6,000 images in the engine alone, for each', times.training, 'µs', 1);
  await page.click('[data-tab="train"]');
  const epochs = [];
  for (let i = 0; i < EPOCHS; i++) epochs.push(await train(page));
  row('an epoch on the images that the page holds', epochs, 's', 2);
  await browser.close();
}
