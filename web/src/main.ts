// Starts the page: reads the payload, loads the engine, and puts the bench and what belongs to the report in their places.
import { mount } from 'svelte';
import App from './App.svelte';
import Badge from './bench/Badge.svelte';
import { loadEngine } from './engine/engine';
import type { Payload } from './payload/types';
import { inflate } from './payload/unpack';
import { extendReport } from './report/extend';
import { Bench } from './state/bench.svelte';
import { followFragment } from './state/fragment.svelte';
import { load, loadSnapshots } from './state/models';

function textOf(id: string): string {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no #${id}`);
  return element.textContent ?? '';
}

async function start(): Promise<void> {
  const payload = JSON.parse(textOf('payload')) as Payload;
  const module = inflate(textOf('engine')).then((bytes) => loadEngine(new Uint8Array(bytes)));
  const [engine, { models, images }] = await Promise.all([module, load(payload)]);
  const bench = new Bench(payload, engine, models, images);
  bench.choose(0);
  const snapshots = loadSnapshots(payload, models);
  await followFragment(bench, snapshots);
  mount(App, { target: document.getElementById('bench')!, props: { bench } });
  mount(Badge, { target: document.getElementById('badge')!, props: { bench } });
  extendReport(bench);
  document.documentElement.dataset.ready = 'true';
}

start().catch((error: unknown) => {
  const target = document.getElementById('bench');
  if (target === null) return;
  const note = document.createElement('p');
  note.className = 'note';
  note.textContent = `The live view could not start (${error instanceof Error ? error.message : String(error)}). The report below is complete without it.`;
  target.replaceChildren(note);
  document.documentElement.dataset.ready = 'failed';
});
