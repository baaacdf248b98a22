// The training worker. It works in short pieces, so that messages of the page are handled at once.
import { loadEngine, type Engine } from '../engine/engine';
import type { TrainingData } from '../engine/network';
import { chooseImages, type ChosenImages } from './conditions';
import { measureEpoch, type EpochPoint } from './epoch';
import type { Reply, Request, Stretch, TakenStep } from './messages';
import { measure, type Labelled, type Score } from './score';
import { Trainer } from './trainer';
import { takeStepInParts } from './update';
import { TextError, errorTextOf } from '../text/error';

const PIECE_MS = 50; // of training between two checks for messages
const UPDATE_MS = 100; // from one update of the page to the next
const MEASURING_SHARE = 0.1; // share of the time that measuring the sample may take

let engine: Engine;
interface Material {
  images: TrainingData;
  labels: Int32Array; // the true labels; a run may train on others
}

let data: Material | null = null; // null if the page has no training images
let chosen: ChosenImages; // the images that the current run trains on
let sample: Labelled;
let trainer: Trainer | null = null;
let classes = 0;
let run = 0;

let running = false;
let requestedStep: { watched: Uint8Array | null } | null = null; // a single step that the page asked for
let epochWork: Generator<number, EpochPoint, void> | null = null; // measures the epoch that has just ended
let scheduled = false; // a piece is scheduled
let awaited = false; // the page has not shown the last update yet
let batches = 1; // number of batches that fit into a piece
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

function buffersOf(weights: Record<string, Float32Array>): ArrayBuffer[] {
  return [...new Set(Object.values(weights).map((array) => array.buffer as ArrayBuffer))];
}

function sendUpdate(now: Trainer, measures: boolean): void {
  const start = performance.now();
  let score: Score | null = null;
  if (measures || start - measuredAt >= measuringTook / MEASURING_SHARE) {
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
  reply({ kind: 'update', run, progress, stretch, sample: score, weights }, buffersOf(weights));
  stretch = { images: 0, loss: 0, accuracy: 0 };
}

function takeSteps(now: Trainer, maxSteps: number): void {
  const start = performance.now();
  const step = now.step;
  const taken = now.train(maxSteps);
  const elapsed = performance.now() - start;
  seconds += elapsed / 1000;
  const per = elapsed / (now.step - step);
  batches = Math.max(1, Math.min(Math.floor(PIECE_MS / Math.max(per, 1e-3)), 2 * batches));
  const images = stretch.images + taken.images;
  const share = taken.images / images;
  stretch = {
    images,
    loss: stretch.loss + share * (taken.loss - stretch.loss),
    accuracy: stretch.accuracy + share * (taken.accuracy - stretch.accuracy),
  };
  // After an epoch the weights are checked too: since relu(NaN) = 0, the loss can be finite although weights are not.
  const isFinite = Number.isFinite(taken.loss) && (now.epochsDone === null || hasFiniteWeights(now));
  if (!isFinite) {
    throw new TextError('refused.training.diverged', { step: now.step });
  }
}

function hasFiniteWeights(now: Trainer): boolean {
  return Object.values(now.weights()).every((values) => values.every(Number.isFinite));
}

// Explains the next step by taking it on a copy of the network.
function explainNextStep(now: Trainer, watched: Uint8Array): TakenStep {
  const { network, data: images } = now;
  const steps = now.nextSteps(1);
  const update = takeStepInParts(engine, {
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

function startMeasuringEpoch(now: Trainer): void {
  const epoch = now.epochsDone;
  if (epoch === null || sample.labels.length === 0) return;
  epochWork = measureEpoch(now.network, now.data, chosen, sample, classes, { epoch, step: now.step });
}

// Measures for PIECE_MS at most. Returns true when the epoch is measured.
function continueMeasuringEpoch(work: Generator<number, EpochPoint, void>): boolean {
  const start = performance.now();
  let done = work.next();
  while (!done.done && performance.now() - start < PIECE_MS) done = work.next();
  if (running) seconds += (performance.now() - start) / 1000;
  if (!done.done) return false;
  epochWork = null;
  reply({ kind: 'epoch', run, point: done.value });
  return true;
}

function finish(now: Trainer): void {
  sendUpdate(now, true);
  running = false;
  reply({ kind: 'done', run });
}

function runPiece(): void {
  scheduled = false;
  const now = trainer;
  if (now === null) return;
  try {
    if (epochWork !== null) {
      if (!continueMeasuringEpoch(epochWork)) return schedule();
      if (now.done) return finish(now);
    }
    if (!(running || requestedStep !== null)) return;
    if (requestedStep !== null) {
      const { watched } = requestedStep;
      requestedStep = null;
      if (watched !== null) reply({ kind: 'step', run, taken: explainNextStep(now, watched) });
      takeSteps(now, 1);
      if (!now.done) sendUpdate(now, true);
    } else {
      takeSteps(now, batches);
    }
    startMeasuringEpoch(now);
    if (epochWork !== null) return schedule();
    if (now.done) return finish(now);
    if (!running) return;
    if (!awaited && performance.now() - updatedAt >= UPDATE_MS) sendUpdate(now, false);
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
  epochWork = requestedStep = null;
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
      sendUpdate(trainer, true);
      startMeasuringEpoch(trainer);
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
      sendUpdate(trainer, true);
      return reply({ kind: 'paused', run });
    case 'step':
      if (trainer === null || running || trainer.done) return;
      requestedStep = { watched: request.watched };
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

channel.port1.onmessage = runPiece;
// Requests are handled one after the other: those after the first wait until the engine is loaded.
let last = Promise.resolve();
self.onmessage = ({ data: request }: MessageEvent<Request>) => {
  last = last.then(() => handle(request)).catch(fail);
};
