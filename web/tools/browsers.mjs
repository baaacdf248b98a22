// Debian's browsers as they come, started so that they reach no network.
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import puppeteer from 'puppeteer-core';

export const BROWSERS = ['chromium', 'firefox'];

const COMMANDS = {
  chromium: ['chromium', 'chromium-browser', 'google-chrome'],
  firefox: ['firefox-esr', 'firefox'],
};

const CHROMIUM_ARGUMENTS = [
  '--no-sandbox', // in a container the user may be root
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--host-resolver-rules=MAP * ~NOTFOUND',
];

// Every connection goes to a proxy that is not there.
const FIREFOX_PREFERENCES = {
  'network.proxy.type': 1,
  'network.proxy.no_proxies_on': '',
  'network.proxy.allow_hijacking_localhost': true,
  'network.proxy.socks_remote_dns': true,
  ...Object.fromEntries(
    ['http', 'ssl', 'socks'].flatMap((kind) => [
      [`network.proxy.${kind}`, '127.0.0.1'],
      [`network.proxy.${kind}_port`, 9],
    ]),
  ),
};

export function executable(name) {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const paths = COMMANDS[name].flatMap((command) => folders.map((folder) => join(folder, command)));
  return paths.find((path) => existsSync(path)) ?? null;
}

// Only Firefox has preferences.
export async function launch(name, preferences = {}) {
  const executablePath = executable(name);
  if (executablePath === null) throw new Error(`no ${COMMANDS[name][0]} is installed`);
  return name === 'firefox'
    ? puppeteer.launch({
        browser: 'firefox',
        executablePath,
        extraPrefsFirefox: { ...FIREFOX_PREFERENCES, ...preferences },
      })
    : puppeteer.launch({ executablePath, args: CHROMIUM_ARGUMENTS });
}
