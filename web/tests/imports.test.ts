// Which folder of src may import which, and which may touch the document.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { expect, test } from 'vitest';

// By folder, those that it may import: the table of docs/page.md.
const MAY: Record<string, string[]> = {
  text: ['ui'],
  engine: ['text'],
  handwriting: ['engine'],
  payload: ['engine', 'handwriting'],
  module: ['analysis', 'engine', 'payload'],
  analysis: ['engine', 'payload'],
  training: ['engine', 'text'],
  state: ['engine', 'payload', 'handwriting', 'analysis', 'training', 'text'],
  ui: ['text'],
  charts: ['ui', 'text'],
  bench: ['engine', 'payload', 'handwriting', 'analysis', 'training', 'state', 'ui', 'charts', 'text'],
  report: ['engine', 'payload', 'handwriting', 'analysis', 'training', 'state', 'ui', 'charts', 'bench', 'text'],
};
const source = join(import.meta.dirname, '../src');

function filesIn(folder: string): string[] {
  return readdirSync(join(source, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|svelte)$/.test(name))
    .map((name) => join(folder, name));
}

function roomsImportedBy(file: string): string[] {
  const text = readFileSync(join(source, file), 'utf8');
  return [...text.matchAll(/(?:from|import) '(\.[^']+)'/g)].map(([, path]) => {
    const target = normalize(join(dirname(file), path));
    return relative('.', target).split('/')[0];
  });
}

test('every folder of src is in the table', () => {
  const folders = readdirSync(source, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(folders.map((entry) => entry.name).sort()).toEqual(Object.keys(MAY).sort());
});

test.each(Object.keys(MAY))('%s imports only what it may', (folder) => {
  const files = filesIn(folder);
  expect(files.length).toBeGreaterThan(0);
  for (const file of files) {
    const others = roomsImportedBy(file).filter((room) => room !== folder);
    expect(
      others.filter((room) => !MAY[folder].includes(room)),
      file,
    ).toEqual([]);
  }
});

test.each(['engine', 'payload', 'handwriting', 'analysis', 'training'])('%s touches no document', (folder) => {
  for (const file of filesIn(folder)) {
    expect(readFileSync(join(source, file), 'utf8'), file).not.toMatch(
      /\bdocument\.|\bquerySelector|\blocalStorage|\bHTML[A-Z]/,
    );
  }
});
