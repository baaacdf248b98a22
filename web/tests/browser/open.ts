// Opens pages from the disk in a real browser without a network, and records whatever they should not do.
import { basename, dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { BROWSERS, executable, launch, type BrowserName } from '../../tools/browsers.mjs';

const TIMEOUT_MS = 30_000; // enough on a busy machine

export interface Opened {
  page: Page;
  browser: BrowserName;
  complaints: string[]; // console messages, errors, dialogs, requests, and what the page's policy forbade
  readyMilliseconds: number; // from the start of the navigation until the bench stood
}

export interface View {
  fragment?: string;
  width?: number;
  height?: number;
  theme?: 'light' | 'dark';
}

export type GoTo = (view?: View) => Promise<Page>;

export interface OpenOptions extends View {
  started?: boolean; // the visit begins when the engine has started, not when the page has loaded
  script?: boolean; // false switches JavaScript off
}

// A browser stays open from one file of tests to the next of its worker (`isolate` in vite.config.ts), since starting Firefox
// takes seconds, and ends with the worker.
const launched = new Map<BrowserName, Promise<Browser>>();
function launchOnce(name: BrowserName): Promise<Browser> {
  if (!launched.has(name)) launched.set(name, launch(name));
  return launched.get(name)!;
}

// Tests in each of the browsers. One that is not installed fails in continuous integration and is skipped elsewhere.
export function inEachBrowser(tests: (browser: () => Browser, name: BrowserName) => void, names = BROWSERS): void {
  for (const name of names) {
    if (executable(name) === null) {
      const missing = `${name}, which is not installed`;
      if (process.env.CI === 'true') test(missing, () => expect.fail('continuous integration looks at the page in it'));
      else test.skip(missing);
      continue;
    }
    describe(name, () => {
      let browser: Browser;
      beforeAll(async () => {
        browser = await launchOnce(name);
      });
      tests(() => browser, name);
    });
  }
}

// Opens a file, runs the visit, and fails on every complaint.
export async function visit(
  browser: Browser,
  path: string,
  options: OpenOptions,
  work: (opened: Opened) => Promise<void>,
): Promise<void> {
  const opened = await open(browser, path, options);
  try {
    await work(opened);
    expect(await complaintsOf(opened)).toEqual([]);
  } finally {
    await opened.page.close();
  }
}

// Tests that share one open page, since opening one takes seconds. Each goes to what it looks at; whatever an address does
// not hold, such as a network that was trained, would be there for the next one too and needs a visit of its own.
export function inOnePage(browser: () => Browser, path: string, tests: (goTo: GoTo) => void): void {
  describe(basename(dirname(path)), () => {
    let opened: Opened;
    beforeAll(async () => {
      opened = await open(browser(), path);
    });
    afterEach(async () => expect(await complaintsOf(opened)).toEqual([]));
    afterAll(() => opened?.page.close());
    tests(async (view) => {
      await show(opened.page, view);
      return opened.page;
    });
  });
}

// Brings an open page into the state in which it opens with this view: the report folded, and nothing pointed at.
export async function show(page: Page, view: View = {}): Promise<void> {
  const { fragment = '#', width = 1280, height = 900, theme = 'light' } = view;
  await page.mouse.move(0, 0);
  await page.setViewport({ width, height });
  await page.evaluate(
    async (fragment, theme) => {
      (document.activeElement as HTMLElement | null)?.blur();
      document.querySelector<HTMLInputElement>(`#theme-${theme}`)!.click();
      for (const element of document.querySelectorAll<HTMLDetailsElement>('main details')) element.open = false;
      document.querySelector<HTMLElement>(':popover-open')?.hidePopover();
      history.pushState(null, '', fragment);
      window.dispatchEvent(new PopStateEvent('popstate', { state: null }));
      scrollTo({ top: 0, behavior: 'instant' });
      // What follows from a size is measured in one frame and drawn in the next.
      for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
    },
    fragment,
    theme,
  );
}

// What follows from a size is measured in one frame and drawn in the next.
export async function resize(page: Page, size: { width: number; height: number }): Promise<void> {
  await page.setViewport(size);
  await page.evaluate(async () => {
    for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
  });
}

export async function open(browser: Browser, path: string, options: OpenOptions = {}): Promise<Opened> {
  const { fragment = '', width = 1280, height = 900, theme, started = true, script = true } = options;
  const name = (await browser.version()).toLowerCase().includes('firefox') ? 'firefox' : 'chromium';
  const page = await browser.newPage();
  const url = pathToFileURL(path).href;
  const complaints: string[] = [];
  page.setDefaultTimeout(TIMEOUT_MS);
  page.on('console', (message) => complaints.push(`console ${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(`error: ${String(error)}`));
  page.on('request', (request) => {
    const own = request.url().split('#')[0] === url || /^(blob|data|about):/.test(request.url());
    if (!own) complaints.push(`request: ${request.url()}`);
  });
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    dialog.dismiss().catch(() => undefined); // the page may have been closed since
  });
  await page.setViewport({ width, height });
  if (script) await page.evaluateOnNewDocument(observe);
  else await page.setJavaScriptEnabled(false);
  await page.goto(url + fragment, { waitUntil: 'load', timeout: TIMEOUT_MS });
  if (script && started) await page.waitForSelector('html[data-ready]', { timeout: TIMEOUT_MS });
  const readyMilliseconds = script ? await page.evaluate(() => (window as unknown as Observed).readyAt) : NaN;
  if (theme !== undefined) await page.$eval(`#theme-${theme}`, (input) => (input as HTMLInputElement).click());
  return { page, browser: name, complaints, readyMilliseconds };
}

export async function complaintsOf({ page, complaints }: Opened): Promise<string[]> {
  const forbidden = await page.evaluate(() => (window as unknown as Partial<Observed>).forbidden ?? []);
  return [...complaints, ...forbidden];
}

interface Observed {
  readyAt: number;
  forbidden: string[];
}

// Runs in the page, before anything of its own.
function observe(): void {
  const seen = window as unknown as Observed;
  seen.readyAt = NaN;
  seen.forbidden = [];
  document.addEventListener('securitypolicyviolation', (event) => {
    seen.forbidden.push(`forbidden by the policy: ${event.violatedDirective} ${event.blockedURI}`);
  });
  new MutationObserver((_, observer) => {
    if (document.documentElement?.dataset.ready === undefined) return;
    seen.readyAt = performance.now();
    observer.disconnect();
  }).observe(document, { subtree: true, attributes: true, attributeFilter: ['data-ready'] });
}
