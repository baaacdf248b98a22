// Runs within a report: times its network's ablations, by what the page calls for them and on what it holds.
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
  image: number[]; // ms: all filters, each lost alone, one image
  all: number[]; // ms: the same for the sample
}

const RUNS = 20;
const LONG_RUNS = 5;

const textOf = (id: string): string => document.getElementById(id)?.textContent ?? '';

function finish<T>(work: Work<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}

// What is shorter than the clock's step is done several times for one figure.
function timesOf(runs: number, times: number, work: () => unknown): number[] {
  for (let i = 0; i < times; i++) work();
  return Array.from({ length: runs }, () => {
    const start = performance.now();
    for (let i = 0; i < times; i++) work();
    return (performance.now() - start) / times;
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
