// The training worker: it trains the page's network in the background. It works in short pieces, so that requests of the page
// are handled soon, between two of them. A piece is some steps of training, or a part of measuring an epoch that has ended:
//     open   start piece piece   pause   step piece   resume piece piece (done)   start ...
import { loadEngine, type Engine } from '../engine/engine';
import type { TrainingData } from '../engine/network';
import { chooseImages, type ChosenImages } from './conditions';
import { measureEpoch, type EpochPoint } from './epoch';
import type { Reply, Request, Stretch, TakenStep } from './messages';
import { measure, type Labelled, type Score } from './score';
import { Trainer } from './trainer';
import { takeStepInParts } from './update';
import { TextError, errorTextOf } from '../text/error';

const PIECE_MS = 50; // of training between two checks for requests
const UPDATE_MS = 100; // from one update of the page to the next
const MEASURING_SHARE = 0.1; // share of the time that measuring the sample may take: after 20 ms of it, 200 ms without

interface TrainingImages {
  data: TrainingData;
  labels: Int32Array; // the true labels; a run may train on others
}

let engine: Engine;
let training: TrainingImages | null = null; // null if the page has no training images
let chosen: ChosenImages; // the images that the current run trains on
let sample: Labelled; // test images to measure on
let classes = 0;
let run = 0; // number of the current run
let trainer: Trainer | null = null; // of the current run

let isRunning = false; // not paused
let requestedStep: { watched: Uint8Array | null } | null = null; // a single step that the page asked for
let epochWork: Generator<number, EpochPoint, void> | null = null; // measures the epoch that has just ended
let isScheduled = false; // `runPiece` will be called
let isUpdatePending = false; // the page has not shown the last update yet
let batches = 1; // number of batches that fit into a piece
let seconds = 0; // of training and measuring in this run
let stretch: Stretch = { images: 0, loss: 0, accuracy: 0 }; // the training since the last update
let updatedAt = 0; // times in milliseconds
let measuredAt = 0;
let measuringTook = 0;

const channel = new MessageChannel(); // quicker than a timer, and lets messages of the page in between

function schedule(): void {
  if (isScheduled) return;
  isScheduled = true;
  channel.port2.postMessage(null);
}

function reply(message: Reply, transfer: Transferable[] = []): void {
  self.postMessage(message, { transfer });
}

// Sends the state of the training and the weights. The sample is measured too if it must be, or if there is time for it.
function sendUpdate(current: Trainer, mustMeasure: boolean, isCheckpoint = false, score: Score | null = null): void {
  const start = performance.now();
  if (score !== null) measuredAt = start;
  else if (mustMeasure || start - measuredAt >= measuringTook / MEASURING_SHARE) {
    score = measure(current.network, sample.images, sample.labels, classes);
    measuredAt = performance.now();
    measuringTook = measuredAt - start;
    if (isRunning) seconds += measuringTook / 1000;
  }
  const weights = current.weights();
  const { step, steps, recipe } = current;
  const progress = { step, steps, epoch: (step * recipe.epochs) / steps, seconds };
  isUpdatePending = true;
  updatedAt = performance.now();
  const buffers = new Set(Object.values(weights).map((array) => array.buffer as ArrayBuffer));
  reply({ kind: 'update', run, progress, stretch, sample: score, weights, isCheckpoint }, [...buffers]);
  stretch = { images: 0, loss: 0, accuracy: 0 };
}

// Finds the next step after which weights are kept: 1, 3, 10, 30, 100, ...
function nextCheckpoint(step: number): number {
  let power = 1;
  while (3 * power <= step) power *= 10;
  return step < power ? power : 3 * power;
}

// Takes steps, and adapts the number of batches in a piece to their speed. The stretch holds means over its images.
function takeSteps(current: Trainer, maxSteps: number): void {
  const start = performance.now();
  const firstStep = current.step;
  const taken = current.train(Math.min(maxSteps, nextCheckpoint(firstStep) - firstStep));
  const elapsed = performance.now() - start;
  seconds += elapsed / 1000;
  const perStep = elapsed / (current.step - firstStep);
  batches = Math.max(1, Math.min(Math.floor(PIECE_MS / Math.max(perStep, 1e-3)), 2 * batches));
  const images = stretch.images + taken.images;
  const share = taken.images / images; // the weight of the new images in the means
  stretch = {
    images,
    loss: stretch.loss + share * (taken.loss - stretch.loss),
    accuracy: stretch.accuracy + share * (taken.accuracy - stretch.accuracy),
  };
  // After an epoch the weights are checked too: since relu(NaN) = 0, the loss can be finite although weights are not.
  const isFinite = Number.isFinite(taken.loss) && (current.epochsDone === null || hasFiniteWeights(current));
  if (!isFinite) throw new TextError('refused.training.diverged', { step: current.step });
}

function hasFiniteWeights(current: Trainer): boolean {
  return Object.values(current.weights()).every((values) => values.every(Number.isFinite));
}

// Explains the next step by taking it on a copy of the network.
function explainNextStep(current: Trainer, watched: Uint8Array): TakenStep {
  const { network, data } = current;
  const steps = current.nextSteps(1);
  const update = takeStepInParts(engine, {
    architecture: network.architecture,
    weights: network.weights(),
    optimizer: network.optimizerState(),
    data,
    steps,
    watched,
  });
  const { labels } = data;
  return { update, images: data.images(steps.order), labels: steps.order.map((i) => labels[i]) };
}

function startMeasuringEpoch(current: Trainer): void {
  const epoch = current.epochsDone;
  if (epoch === null || sample.labels.length === 0) return;
  epochWork = measureEpoch(current.network, current.data, chosen, sample, classes, { epoch, step: current.step });
}

// Measures for PIECE_MS at most. Returns true when the epoch is measured.
function continueMeasuringEpoch(current: Trainer, work: Generator<number, EpochPoint, void>): boolean {
  const start = performance.now();
  let result = work.next();
  while (!result.done && performance.now() - start < PIECE_MS) result = work.next();
  if (isRunning) seconds += (performance.now() - start) / 1000;
  if (!result.done) return false;
  epochWork = null;
  reply({ kind: 'epoch', run, point: result.value });
  sendUpdate(current, true, true, result.value.test);
  return true;
}

function finish(): false {
  isRunning = false;
  reply({ kind: 'done', run });
  return false; // no piece follows
}

function runPiece(): void {
  isScheduled = false;
  try {
    if (trainer !== null && workOnPiece(trainer)) schedule();
  } catch (error) {
    fail(error);
  }
}

// Does one piece: measures the epoch that has ended, else takes steps. Returns whether another piece follows.
function workOnPiece(current: Trainer): boolean {
  if (epochWork !== null) {
    if (!continueMeasuringEpoch(current, epochWork)) return true;
    if (current.isDone) return finish();
  }
  const isRequested = requestedStep !== null;
  if (requestedStep !== null) takeRequestedStep(current, requestedStep.watched);
  else if (isRunning) takeSteps(current, batches);
  else return false;
  startMeasuringEpoch(current);
  if (epochWork !== null) return true;
  const isCheckpoint = current.epochsDone !== null || nextCheckpoint(current.step - 1) === current.step;
  if (isRequested || isCheckpoint) sendUpdate(current, true, isCheckpoint);
  else if (isRunning && !isUpdatePending && performance.now() - updatedAt >= UPDATE_MS) sendUpdate(current, false);
  return current.isDone ? finish() : isRunning;
}

function takeRequestedStep(current: Trainer, watched: Uint8Array | null): void {
  requestedStep = null;
  if (watched !== null) reply({ kind: 'step', run, taken: explainNextStep(current, watched) });
  takeSteps(current, 1);
}

function fail(error: unknown): void {
  isRunning = false;
  reply({ kind: 'failed', problem: errorTextOf(error) });
}

function stopTraining(): void {
  trainer?.network.free();
  trainer = null;
  epochWork = requestedStep = null;
  isRunning = isUpdatePending = false;
}

async function handle(request: Request): Promise<void> {
  switch (request.kind) {
    case 'open':
      engine = await loadEngine(request.engine);
      if (request.train.labels.length > 0) {
        const { images, labels } = request.train;
        training = { data: engine.trainingData(images, labels), labels: Int32Array.from(labels) };
      }
      sample = request.sample;
      classes = request.classes;
      return;
    case 'start': {
      stopTraining();
      if (training === null) throw new TextError('refused.training.noImages');
      const { architecture, weights, recipe, conditions, seed } = request;
      chosen = chooseImages(training.labels, classes, conditions, seed);
      const labels = training.labels.slice();
      chosen.indices.forEach((image, i) => (labels[image] = chosen.labels[i]));
      training.data.setLabels(labels);
      trainer = new Trainer(engine.network(architecture, weights), training.data, recipe, seed, chosen.indices);
      run = request.run;
      reply({ kind: 'chosen', run, chosen });
      seconds = 0;
      batches = 1;
      stretch = { images: 0, loss: 0, accuracy: 0 };
      sendUpdate(trainer, true);
      startMeasuringEpoch(trainer);
      isRunning = !request.paused;
      schedule();
      return;
    }
    case 'resume':
      isRunning = trainer !== null && !trainer.isDone;
      schedule();
      return;
    case 'pause':
      if (trainer === null || !isRunning) return;
      isRunning = false;
      sendUpdate(trainer, true);
      return reply({ kind: 'paused', run });
    case 'step':
      if (trainer === null || isRunning || trainer.isDone) return;
      requestedStep = { watched: request.watched };
      schedule();
      return;
    case 'rate':
      if (trainer !== null) trainer.learningRate = request.learningRate;
      return;
    case 'stop':
      return stopTraining();
    case 'seen':
      isUpdatePending = false;
  }
}

channel.port1.onmessage = runPiece;
// Requests are handled one after the other, since those after the first must wait until the engine is loaded.
let last = Promise.resolve();
self.onmessage = ({ data: request }: MessageEvent<Request>) => {
  last = last.then(() => handle(request)).catch(fail);
};
