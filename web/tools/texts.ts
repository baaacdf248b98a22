// The catalogues of texts, which Python reads too: it puts the other languages and the report's sentences into each page.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Plugin } from 'vite';

export const CATALOGUES = resolve(import.meta.dirname, '../../src/convscope/texts/catalogues');

// Leaves the report's sentences out of the script: they stand in English in each page.
export function pageTexts(): Plugin {
  return {
    name: 'page-texts',
    apply: 'build',
    load(id) {
      if (id !== join(CATALOGUES, 'en.json')) return null;
      const { report: _, ...page } = JSON.parse(readFileSync(id, 'utf8')) as Record<string, unknown>;
      return JSON.stringify(page);
    },
  };
}
