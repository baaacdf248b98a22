// Times the ablations of a report's network, with the functions that the page calls. bench.mjs runs it inside the report.
import { weightedFilters } from '../src/analysis/ablations';
import { imageEffects } from '../src/analysis/ablation_effects';
import { correctByAblation } from '../src/analysis/sample_accuracy';
import type { Work } from '../src/analysis/slices';
import { loadEngine } from '../src/engine/engine';
import type { Payload } from '../src/payload/types';
import { inflate } from '../src/payload/unpack';
import { load } from '../src/state/models';

export interface AblationTimes {
  filters: number;
  sample: number; // images
  forward: number[]; // ms: one image, every layer's output
  image: number[]; // ms: the ablations of all filters, each alone, for one image
  all: number[]; // ms: the same for the sample
}

const RUNS = 20; // figures of a short computation
const LONG_RUNS = 5; // figures of a long one

const textOf = (id: string): string => document.getElementById(id)?.textContent ?? '';

function finish<T>(work: Work<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}

// Times work `runs` times, after a warm-up. Each figure is a mean of `repeats`, since work may be shorter than the clock's step.
function timesOf(runs: number, repeats: number, work: () => unknown): number[] {
  for (let i = 0; i < repeats; i++) work();
  return Array.from({ length: runs }, () => {
    const start = performance.now();
    for (let i = 0; i < repeats; i++) work();
    return (performance.now() - start) / repeats;
  });
}

export async function ablationTimes(): Promise<AblationTimes> {
  const payload = JSON.parse(textOf('payload')) as Payload;
  const engine = await loadEngine(new Uint8Array(await inflate(textOf('engine'))));
  const { models, images } = await load(payload);
  const { architecture, weights, table } = models[0];
  const network = engine.network(architecture, weights);
  const layers = weightedFilters(table).filter(({ kind }) => kind.endsWith('2D'));
  const ablations = layers.flatMap(({ layer, filters }) =>
    Array.from({ length: filters }, (_, filter) => [{ layer, filter, value: 0 }]),
  );
  const weighed = Float32Array.from({ length: network.numClasses }, (_, k) => Number(k === 0));
  const image = images.image(0);
  return {
    filters: ablations.length,
    sample: images.numSample,
    forward: timesOf(RUNS, 200, () => network.forward(image)),
    image: timesOf(RUNS, 20, () => finish(imageEffects(network, image, [], ablations, weighed))),
    all: timesOf(LONG_RUNS, 1, () => finish(correctByAblation(network, images, ablations))),
  };
}
