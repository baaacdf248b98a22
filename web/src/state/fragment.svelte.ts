// Keeps the address and the bench together: a link restores what was shown, and what is shown can be linked to.
import type { Bench } from './bench.svelte';
import { chosen } from '../text/say.svelte';
import { decode, encode, type Known, type Shown } from './fragment';
import { chooseLanguage, preferredLanguage } from './language';

const PAUSE = 250; // ms without a change before the address follows

function knownOf(bench: Bench): Known {
  return {
    models: bench.models,
    shape: bench.images.shape,
    numClasses: bench.classNames.length,
    find: (index) => (bench.isOnPage ? bench.images.find(index) : -1), // links are about the page's own images
  };
}

function shownOn(bench: Bench): Shown {
  const { source } = bench;
  // A network that trained in the page cannot be linked to; the links are then of what it replaces.
  const own = bench.trained === null && bench.isOnPage;
  return {
    index: source.kind === 'image' && bench.isOnPage ? bench.images.indices[source.position] : null,
    strokes: source.kind === 'drawing' ? source.strokes : null,
    model: own ? bench.modelIndex : 0,
    epoch: own ? bench.epoch : null,
    cell: own ? bench.held : null,
    ablations: own ? bench.ablations : [],
    rival: bench.rival,
    scaling: bench.scaling,
    tab: bench.tab,
    language: chosen.language === preferredLanguage() ? null : chosen.language,
    lesson: bench.lesson,
  };
}

async function restore(bench: Bench, shown: Shown, snapshots: Promise<void>): Promise<void> {
  // Back to an address that names no language keeps the one that is read.
  const language = shown.language === null ? undefined : chooseLanguage(shown.language);
  bench.show(shown.model);
  if (shown.strokes !== null) bench.source = { kind: 'drawing', strokes: shown.strokes };
  else if (shown.index !== null) bench.choose(bench.images.find(shown.index));
  bench.ablations = shown.ablations;
  bench.rival = shown.rival;
  bench.scaling = shown.scaling;
  bench.tab = shown.tab;
  bench.lesson = shown.lesson;
  bench.held = shown.cell;
  await language;
  if (shown.epoch === null) return;
  await snapshots.catch(() => undefined); // what could not be unpacked is not there
  if (bench.modelIndex === shown.model && bench.models[shown.model].snapshots.has(shown.epoch))
    bench.epoch = shown.epoch;
}

export function linkTo(bench: Bench): string {
  return location.href.split('#')[0] + encode(shownOn(bench));
}

// The reader goes elsewhere: what was shown until now becomes an entry that Back returns to, at the place in the page.
let hasLeft = false; // and what changes with it belongs to the new entry
export function leaveEntry(): void {
  try {
    history.pushState(null, '', location.href);
    hasLeft = true;
  } catch {
    // A browser that is asked too often, or not allowed to, keeps no entry.
  }
}

export async function followFragment(bench: Bench, snapshots: Promise<void>): Promise<void> {
  const first = encode(shownOn(bench)); // what was there at the start needs no address
  let written = first;
  let tab = bench.tab;
  // Of an address without a fragment the start is shown; one that leads into the report changes nothing.
  const follow = async () => {
    const shown = decode(location.hash === '' ? first : location.hash, knownOf(bench));
    if (shown === null) return;
    await restore(bench, shown, snapshots);
    written = encode(shownOn(bench));
    tab = bench.tab;
  };
  await follow();
  window.addEventListener('popstate', () => void follow());

  let timer = 0;
  $effect.root(() => {
    $effect(() => {
      const shown = shownOn(bench);
      clearTimeout(timer);
      const write = () => {
        const text = encode(shown);
        if (text === written) return;
        written = text;
        const isOther = shown.tab !== tab && !hasLeft; // Back goes to the instrument before
        tab = shown.tab;
        hasLeft = false;
        try {
          if (isOther) history.pushState(null, '', text);
          else history.replaceState(history.state, '', text);
        } catch {
          // A browser that is asked too often, or not allowed to, leaves the address as it was.
        }
      };
      timer = window.setTimeout(write, PAUSE);
    });
  });
}
