// Keeps the address and the bench together: a link restores what was shown, and what is shown can be linked to.
import type { Bench } from './bench.svelte';
import { chosen } from '../text/say.svelte';
import { decode, encode, type Available, type Shown } from './fragment';
import { chooseLanguage, preferredLanguage } from './language';

const PAUSE_MS = 250; // without a change, before the address follows

function availableOn(bench: Bench): Available {
  return {
    models: bench.models,
    shape: bench.images.shape,
    numClasses: bench.classNames.length,
    find: (index) => (bench.isOnPage ? bench.images.find(index) : -1), // links name only the page's own images
  };
}

function shownOn(bench: Bench): Shown {
  const { source } = bench;
  // A network that was trained in the page has no link; its links lead to the page's own model.
  const isLinkable = bench.trained === null && bench.isOnPage;
  return {
    index: source.kind === 'image' && bench.isOnPage ? bench.images.indices[source.position] : null,
    strokes: source.kind === 'drawing' ? source.strokes : null,
    model: isLinkable ? bench.modelIndex : 0,
    epoch: isLinkable ? bench.epoch : null,
    cell: isLinkable ? bench.held : null,
    ablations: isLinkable ? bench.ablations : [],
    rival: bench.rival,
    tab: bench.tab,
    language: chosen.language === preferredLanguage() ? null : chosen.language,
    lesson: bench.lesson,
    answers: bench.answers,
    isEmbedded: bench.isEmbedded,
  };
}

async function restore(bench: Bench, shown: Shown, snapshots: Promise<void>): Promise<void> {
  // An address without a language keeps the current one.
  const language = shown.language === null ? undefined : chooseLanguage(shown.language);
  bench.show(shown.model);
  if (shown.strokes !== null) bench.source = { kind: 'drawing', strokes: shown.strokes };
  else if (shown.index !== null) bench.choose(bench.images.find(shown.index));
  bench.ablations = shown.ablations;
  bench.rival = shown.rival;
  bench.tab = shown.tab;
  bench.lesson = shown.lesson;
  bench.answers = shown.answers;
  bench.isEmbedded = shown.isEmbedded;
  document.documentElement.toggleAttribute('data-embed', shown.isEmbedded);
  bench.held = shown.cell;
  await language;
  if (shown.epoch === null) return;
  await snapshots.catch(() => undefined); // a snapshot that cannot be unpacked is missing below
  if (bench.modelIndex === shown.model && bench.models[shown.model].snapshots.has(shown.epoch))
    bench.epoch = shown.epoch;
}

// Makes a link to what is shown.
export function linkTo(bench: Bench): string {
  return location.href.split('#')[0] + encode(shownOn(bench));
}

let hasLeft = false; // the next change of the address belongs to the entry that `leaveEntry` made

// Makes an entry of the browser's history before the reader leaves a place in the page, so that Back returns to it.
export function leaveEntry(): void {
  try {
    history.pushState(null, '', location.href);
    hasLeft = true;
  } catch {
    // Browsers refuse this to some frames, and if it is asked too often.
  }
}

// Restores the bench from the address, and keeps the address up to date afterwards. Another instrument is a new entry
// of the browser's history; any other change rewrites the current entry.
export async function followFragment(bench: Bench, snapshots: Promise<void>): Promise<void> {
  const first = encode(shownOn(bench)); // what an address without a fragment stands for
  let written = first; // the last fragment that was followed or written; the same again is not written
  let tab = bench.tab; // the instrument that it names
  const embed = new URLSearchParams(location.search).get('embed'); // report.html?embed=lens
  // A fragment that names a section of the report changes nothing.
  const follow = async () => {
    const fragment = (location.hash === '' ? first : location.hash) + (embed === null ? '' : `&embed=${embed}`);
    const shown = decode(fragment, availableOn(bench));
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
        const isNewEntry = shown.tab !== tab && !hasLeft;
        tab = shown.tab;
        hasLeft = false;
        try {
          if (isNewEntry) history.pushState(null, '', text);
          else history.replaceState(history.state, '', text);
        } catch {
          // The address stays as it was, see `leaveEntry`.
        }
      };
      timer = window.setTimeout(write, PAUSE_MS);
    });
  });
}
