// The texts of every language as one file beside the script, for Python: it writes the other languages into each page.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'vite';
import { LANGUAGES } from '../src/text/catalogue.ts';

const FOLDER = join(import.meta.dirname, '../src/text');

export function texts(): Plugin {
  return {
    name: 'texts',
    apply: 'build',
    // The report's sentences stand in English in each page.
    load(id) {
      if (id !== join(FOLDER, 'en.json')) return null;
      const { report: _, ...page } = JSON.parse(readFileSync(id, 'utf8')) as Record<string, unknown>;
      return JSON.stringify(page);
    },
    generateBundle() {
      const all = Object.keys(LANGUAGES).flatMap((language) => {
        const file = join(FOLDER, `${language}.json`);
        return existsSync(file) ? [[language, JSON.parse(readFileSync(file, 'utf8'))]] : [];
      });
      const source = `${JSON.stringify(Object.fromEntries(all), null, 1)}\n`;
      this.emitFile({ type: 'asset', fileName: 'texts.json', source });
    },
  };
}
