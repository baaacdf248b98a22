// Builds web/src into one script and one style sheet, which the Python package carries and puts into every report.
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';
import { licences } from './tools/licences.ts';
import { CATALOGUES, pageTexts } from './tools/texts.ts';

export default defineConfig({
  plugins: [svelte(), pageTexts(), licences()],
  resolve: { alias: { catalogues: CATALOGUES } },
  build: {
    outDir: '../src/convscope/report/bundle',
    emptyOutDir: false, // engine.wasm lies there too
    target: 'es2022',
    // So that light-dark() stays as it is: what would replace it needs `color-scheme` in the same sheet.
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    minify: true,
    lib: {
      entry: 'src/main.ts',
      formats: ['iife'],
      name: 'convscope',
      fileName: () => 'bench.js',
      cssFileName: 'bench',
    },
  },
  worker: { format: 'iife' },
  test: {
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['tests/*.test.ts', 'tests/engine/*.test.ts'], testTimeout: 600_000 },
      },
      {
        extends: true,
        test: {
          name: 'browser',
          include: ['tests/browser/**/*.test.ts'],
          globalSetup: 'tests/browser/reports.ts',
          maxWorkers: 3, // browsers wait a lot, and have processes of their own
          isolate: false, // each file of a worker has the browsers of the one before
          testTimeout: 600_000,
          hookTimeout: 600_000,
          expect: { poll: { timeout: 30_000 } }, // a browser beside other work is slow, and a failure waits only once
        },
      },
    ],
  },
});
