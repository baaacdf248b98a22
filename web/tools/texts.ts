// The catalogues of texts, which Python reads too: it puts the other languages and the report's sentences into each page.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Plugin } from 'vite';

export const CATALOGUES = resolve(import.meta.dirname, '../../src/convscope/texts/catalogues');

// The names of layers, which the live view and the report share.
const SHARED = ['layer', 'function', 'numbered', 'output'];

// Leaves the report's other texts out of the script: they stand in English in each page.
export function pageTexts(): Plugin {
  return {
    name: 'page-texts',
    apply: 'build',
    load(id) {
      if (id !== join(CATALOGUES, 'en.json')) return null;
      const { report, ...page } = JSON.parse(readFileSync(id, 'utf8')) as { report: Record<string, unknown> };
      const shared = Object.fromEntries(SHARED.map((name) => [name, report[name]]));
      return JSON.stringify({ ...page, report: shared });
    },
  };
}
