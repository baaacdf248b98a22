// The training worker. It works in short pieces, so that messages of the page are handled at once.
import { loadEngine, type Engine } from '../engine/engine';
import type { TrainingData } from '../engine/network';
import { chooseImages, type ChosenImages } from './conditions';
import { measuringEpoch, type EpochPoint } from './epoch';
import type { Reply, Request, Stretch, TakenStep } from './messages';
import { measure, type Labelled, type Score } from './score';
import { Trainer } from './trainer';
import { oneUpdate } from './update';
import { TextError, errorTextOf } from '../text/error';

const PIECE = 50; // ms of training between two checks for messages
const BETWEEN = 100; // ms from one update of the page to the next
const MEASURING = 0.1; // share of the time for measuring the sample

let engine: Engine;
interface Material {
  images: TrainingData;
  labels: Int32Array; // the true labels; a run may train on others
}

let data: Material | null = null; // null where the page has no training images
let chosen: ChosenImages; // of it, by the present run
let sample: Labelled;
let trainer: Trainer | null = null;
let classes = 0;
let run = 0;

let running = false;
let oneStep: { watched: Uint8Array | null } | null = null; // that was asked for
let epochWork: Generator<number, EpochPoint, void> | null = null; // measures an epoch that is done
let scheduled = false; // whether a piece is scheduled
let awaited = false; // whether the page has not shown the last update yet
let batches = 1; // that fit into a piece
let seconds = 0;
let stretch: Stretch = { images: 0, loss: 0, accuracy: 0 };
let updatedAt = 0;
let measuredAt = 0;
let measuringTook = 0;

const channel = new MessageChannel(); // quicker than a timer, and lets messages of the page in between

function schedule(): void {
  if (scheduled) return;
  scheduled = true;
  channel.port2.postMessage(null);
}

function reply(message: Reply, transfer: Transferable[] = []): void {
  self.postMessage(message, { transfer });
}

function sameBuffers(weights: Record<string, Float32Array>): ArrayBuffer[] {
  return [...new Set(Object.values(weights).map((array) => array.buffer as ArrayBuffer))];
}

function update(now: Trainer, whole: boolean): void {
  const start = performance.now();
  let score: Score | null = null;
  if (whole || start - measuredAt >= measuringTook / MEASURING) {
    score = measure(now.network, sample.images, sample.labels, classes);
    measuredAt = performance.now();
    measuringTook = measuredAt - start;
    if (running) seconds += measuringTook / 1000;
  }
  const weights = now.weights();
  const { step, steps, epoch, images, rate } = now;
  const progress = { step, steps, epoch, images, seconds, learningRate: rate };
  awaited = true;
  updatedAt = performance.now();
  reply({ kind: 'update', run, progress, stretch, sample: score, weights }, sameBuffers(weights));
  stretch = { images: 0, loss: 0, accuracy: 0 };
}

function take(now: Trainer, maxSteps: number): void {
  const start = performance.now();
  const step = now.step;
  const taken = now.train(maxSteps);
  const elapsed = performance.now() - start;
  seconds += elapsed / 1000;
  const per = elapsed / (now.step - step);
  batches = Math.max(1, Math.min(Math.floor(PIECE / Math.max(per, 1e-3)), 2 * batches));
  const images = stretch.images + taken.images;
  const share = taken.images / images;
  stretch = {
    images,
    loss: stretch.loss + share * (taken.loss - stretch.loss),
    accuracy: stretch.accuracy + share * (taken.accuracy - stretch.accuracy),
  };
  // After an epoch the weights too: since relu(NaN) = 0, the loss may be finite.
  const isFinite = Number.isFinite(taken.loss) && (now.epochsDone === null || hasFiniteWeights(now));
  if (!isFinite) {
    throw new TextError('refused.training.diverged', { step: now.step });
  }
}

function hasFiniteWeights(now: Trainer): boolean {
  return Object.values(now.weights()).every((values) => values.every(Number.isFinite));
}

// Takes the next step on a copy of the network.
function explainNext(now: Trainer, watched: Uint8Array): TakenStep {
  const { network, data: images } = now;
  const steps = now.next(1);
  const update = oneUpdate(engine, {
    architecture: network.architecture,
    weights: network.weights(),
    optimizer: network.optimizerState(),
    data: images,
    steps,
    watched,
  });
  const { labels } = images;
  return { update, images: images.images(steps.order), labels: steps.order.map((i) => labels[i]) };
}

function measureEpoch(now: Trainer): void {
  const epoch = now.epochsDone;
  if (epoch === null || sample.labels.length === 0) return;
  epochWork = measuringEpoch(now.network, now.data, chosen, sample, classes, { epoch, step: now.step });
}

// Measures for PIECE milliseconds at most. Returns true when the epoch is measured.
function measureForAWhile(work: Generator<number, EpochPoint, void>): boolean {
  const start = performance.now();
  let done = work.next();
  while (!done.done && performance.now() - start < PIECE) done = work.next();
  if (running) seconds += (performance.now() - start) / 1000;
  if (!done.done) return false;
  epochWork = null;
  reply({ kind: 'epoch', run, point: done.value });
  return true;
}

function finish(now: Trainer): void {
  update(now, true);
  running = false;
  reply({ kind: 'done', run });
}

function piece(): void {
  scheduled = false;
  const now = trainer;
  if (now === null) return;
  try {
    if (epochWork !== null) {
      if (!measureForAWhile(epochWork)) return schedule();
      if (now.done) return finish(now);
    }
    if (!(running || oneStep !== null)) return;
    if (oneStep !== null) {
      const { watched } = oneStep;
      oneStep = null;
      if (watched !== null) reply({ kind: 'step', run, taken: explainNext(now, watched) });
      take(now, 1);
      if (!now.done) update(now, true);
    } else {
      take(now, batches);
    }
    measureEpoch(now);
    if (epochWork !== null) return schedule();
    if (now.done) return finish(now);
    if (!running) return;
    if (!awaited && performance.now() - updatedAt >= BETWEEN) update(now, false);
    schedule();
  } catch (error) {
    fail(error);
  }
}

function fail(error: unknown): void {
  running = false;
  reply({ kind: 'failed', problem: errorTextOf(error) });
}

function stopTraining(): void {
  trainer?.network.free();
  trainer = null;
  epochWork = oneStep = null;
  running = awaited = false;
}

function materialOf({ images, labels }: Labelled): Material {
  return { images: engine.trainingData(images, labels), labels: Int32Array.from(labels) };
}

async function handle(request: Request): Promise<void> {
  switch (request.kind) {
    case 'open':
      engine = await loadEngine(request.engine);
      if (request.train.labels.length > 0) data = materialOf(request.train);
      sample = request.sample;
      classes = request.classes;
      return;
    case 'start': {
      stopTraining();
      if (data === null) throw new TextError('refused.training.noImages');
      const { architecture, weights, recipe, conditions, seed } = request;
      chosen = chooseImages(data.labels, classes, conditions, seed);
      const labels = data.labels.slice();
      chosen.indices.forEach((image, i) => (labels[image] = chosen.labels[i]));
      data.images.setLabels(labels);
      trainer = new Trainer(engine.network(architecture, weights), data.images, recipe, seed, chosen.indices);
      run = request.run;
      reply({ kind: 'chosen', run, chosen });
      seconds = 0;
      batches = 1;
      stretch = { images: 0, loss: 0, accuracy: 0 };
      update(trainer, true);
      measureEpoch(trainer);
      running = !request.paused;
      schedule();
      return;
    }
    case 'resume':
      running = trainer !== null && !trainer.done;
      schedule();
      return;
    case 'pause':
      if (trainer === null || !running) return;
      running = false;
      update(trainer, true);
      return reply({ kind: 'paused', run });
    case 'step':
      if (trainer === null || running || trainer.done) return;
      oneStep = { watched: request.watched };
      schedule();
      return;
    case 'rate':
      if (trainer !== null) trainer.learningRate = request.learningRate;
      return;
    case 'stop':
      return stopTraining();
    case 'seen':
      awaited = false;
  }
}

channel.port1.onmessage = piece;
// One request after the other, since the engine takes time to load.
let last = Promise.resolve();
self.onmessage = ({ data: request }: MessageEvent<Request>) => {
  last = last.then(() => handle(request)).catch(fail);
};
