// Keeps the address and the bench together: a link restores what was shown, and what is shown can be linked to.
import type { Bench } from './bench.svelte';
import { decode, encode, type Known, type Shown } from './fragment';

const PAUSE = 250; // ms without a change before the address follows

function knownOf(bench: Bench): Known {
  return {
    models: bench.models,
    shape: bench.images.shape,
    numClasses: bench.classNames.length,
    find: (index) => bench.images.find(index),
  };
}

function shownOn(bench: Bench): Shown {
  const { source } = bench;
  // A network that trained in the page cannot be linked to; the links are then of what it replaces.
  const own = bench.trained === null;
  return {
    index: source.kind === 'image' ? bench.images.indices[source.position] : null,
    strokes: source.kind === 'drawing' ? source.strokes : null,
    model: own ? bench.modelIndex : 0,
    epoch: own ? bench.epoch : null,
    cell: own ? bench.held : null,
    lesions: own ? bench.lesions : [],
    rival: bench.rival,
    scaling: bench.scaling,
  };
}

async function restore(bench: Bench, shown: Shown, snapshots: Promise<void>): Promise<void> {
  bench.show(shown.model);
  if (shown.strokes !== null) bench.source = { kind: 'drawing', strokes: shown.strokes };
  else if (shown.index !== null) bench.choose(bench.images.find(shown.index));
  bench.lesions = shown.lesions;
  bench.rival = shown.rival;
  bench.scaling = shown.scaling;
  bench.held = shown.cell;
  if (shown.epoch === null) return;
  await snapshots.catch(() => undefined); // what could not be unpacked is not there
  if (bench.modelIndex === shown.model && bench.models[shown.model].snapshots.has(shown.epoch))
    bench.epoch = shown.epoch;
}

export async function followFragment(bench: Bench, snapshots: Promise<void>): Promise<void> {
  const follow = async () => {
    const shown = decode(location.hash, knownOf(bench));
    if (shown !== null) await restore(bench, shown, snapshots);
  };
  await follow();
  window.addEventListener('hashchange', () => void follow());

  let written = encode(shownOn(bench)); // what was there at the start needs no address
  let timer = 0;
  $effect.root(() => {
    $effect(() => {
      const shown = shownOn(bench);
      clearTimeout(timer);
      timer = window.setTimeout(() => {
        const text = encode(shown);
        if (text === written) return;
        written = text;
        try {
          history.replaceState(history.state, '', text);
        } catch {
          // A browser that is asked too often, or not allowed to, leaves the address as it was.
        }
      }, PAUSE);
    });
  });
}
