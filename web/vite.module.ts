// Builds src/module into the text that the package and the page put before a network to make a JavaScript module of it.
import { readFileSync } from 'node:fs';
import { defineConfig } from 'vite';

export default defineConfig({
  build: {
    outDir: '../src/convscope/report/bundle',
    emptyOutDir: false,
    target: 'es2022',
    minify: true,
    lib: { entry: 'src/module/model.ts', formats: ['iife'], name: 'convscopeModule', fileName: () => 'model.mjs' },
    rolldownOptions: { output: { postBanner: readFileSync('src/module/head.mjs', 'utf8') } },
  },
});
