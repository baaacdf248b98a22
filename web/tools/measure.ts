// Times ablations and training of a report's network, with the functions that the page calls. bench.mjs runs it inside
// the report.
import { weightedFilters } from '../src/analysis/ablations';
import { imageEffects } from '../src/analysis/ablation_effects';
import { correctByAblation } from '../src/analysis/sample_accuracy';
import type { Work } from '../src/analysis/slices';
import { loadEngine, type Engine } from '../src/engine/engine';
import type { Network } from '../src/engine/network';
import type { Payload } from '../src/payload/types';
import { inflate } from '../src/payload/unpack';
import { load, type Images } from '../src/state/models';
import { memorising } from '../src/training/recipe';
import { Trainer } from '../src/training/trainer';

export interface EngineTimes {
  filters: number;
  sample: number; // images
  forward: number[]; // ms: one image, every layer's output
  image: number[]; // ms: the ablations of all filters, each alone, for one image
  all: number[]; // ms: the same for the sample
  training: number[]; // µs for each image of an epoch by Adam in batches of 128
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

// Times epochs on the page's sample, repeated to 6,000 images; the first, which warms up, is not counted.
function trainingTimes(engine: Engine, network: Network, images: Images): number[] {
  const count = 6000;
  const sample = Array.from({ length: count }, (_, i) => i % images.numSample);
  const pixels = new Uint8Array(count * images.image(0).length);
  sample.forEach((image, i) => pixels.set(images.image(image), i * images.image(0).length));
  const data = engine.trainingData(
    pixels,
    Int32Array.from(sample, (image) => images.labels[image]),
  );
  const trainer = new Trainer(network, data, { ...memorising, batchSize: 128, learningRate: 0.001 }, 0);
  const epoch = () => trainer.train(Infinity);
  return timesOf(LONG_RUNS, 1, epoch).map((time) => (1000 * time) / count);
}

export async function engineTimes(): Promise<EngineTimes> {
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
    training: trainingTimes(engine, network, images),
  };
}
