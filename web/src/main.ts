// Starts the page: reads the payload, loads the engine, and mounts the bench and the additions to the report.
import { mount } from 'svelte';
import App from './App.svelte';
import Accuracy from './bench/header/Accuracy.svelte';
import Badge from './bench/header/Badge.svelte';
import Share from './bench/header/Share.svelte';
import State from './bench/header/State.svelte';
import Tools from './bench/header/Tools.svelte';
import { loadEngine } from './engine/engine';
import type { Payload } from './payload/types';
import { inflate } from './payload/unpack';
import { extendReport } from './report/extend';
import { titleOf } from './report/language.svelte';
import { Bench } from './state/bench.svelte';
import { followFragment } from './state/fragment.svelte';
import { chooseLanguage, preferredLanguage } from './state/language';
import { load, loadSnapshots } from './state/models';
import { messageOf, say } from './text/say.svelte';
import { keepSource } from './ui/page_source';

function textOf(id: string): string {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no #${id}`);
  return element.textContent ?? '';
}

// Fills the empty elements of the header, which is part of the document.
function mountHeader(bench: Bench): void {
  const element = (id: string) => document.getElementById(id)!;
  const props = { bench };
  mount(State, { target: element('state'), props });
  mount(Tools, { target: element('tools'), props });
  const link = element('accuracy').querySelector('a'); // as Python wrote it; a page without a report has none
  element('accuracy').replaceChildren();
  mount(Accuracy, { target: element('accuracy'), props: { bench, title: () => (link === null ? '' : titleOf(link)) } });
  mount(Badge, { target: element('badge'), props });
  mount(Share, { target: element('share'), props });
}

async function start(): Promise<void> {
  keepSource();
  const payload = JSON.parse(textOf('payload')) as Payload;
  const language = chooseLanguage(preferredLanguage());
  const module = inflate(textOf('engine')).then((bytes) => loadEngine(new Uint8Array(bytes)));
  const [engine, { models, images }] = await Promise.all([module, load(payload), language]);
  const bench = new Bench(payload, engine, models, images);
  bench.choose(0);
  const snapshots = loadSnapshots(payload, models);
  await followFragment(bench, snapshots);
  mount(App, { target: document.getElementById('bench')!, props: { bench } });
  mountHeader(bench);
  extendReport(bench);
  document.documentElement.dataset.ready = 'true';
}

start().catch((error: unknown) => {
  const target = document.getElementById('bench');
  if (target === null) return;
  const note = document.createElement('p');
  note.className = 'note';
  const reason = messageOf(error);
  // Only a page with a run has a report, in <main>; the sentence then says that it can be read all the same.
  note.textContent = say(document.querySelector('main') === null ? 'app.failed' : 'app.failedReport', { reason });
  target.replaceChildren(note);
  document.documentElement.dataset.ready = 'failed';
});
