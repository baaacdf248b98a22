// The worker that trains. It works in short pieces, so that what the page asks for happens at once.
import { loadEngine, type Engine } from '../engine/engine';
import type { TrainingData } from '../engine/network';
import type { Labelled, Reply, Request, Stretch } from './messages';
import { readSets } from './sets';
import { measure, measuring, type Score } from './score';
import { Trainer } from './trainer';

const PIECE = 50; // ms of training without a look at the messages
const BETWEEN = 100; // ms from one update of the page to the next
const MEASURING = 0.1; // of the time at most goes into measuring the sample

let engine: Engine;
let embedded: TrainingData | null = null; // null where there are none
let data: TrainingData | null = null; // what is trained on
let test: Labelled | null = null;
let sample: Labelled;
let trainer: Trainer | null = null;
let classes = 0;
let run = 0;

let running = false;
let oneStep = false;
let scheduled = false; // whether a piece is to come
let awaited = false; // whether the page has yet to show the last update
let batches = 1; // that fit into a piece
let seconds = 0;
let stretch: Stretch = { images: 0, loss: 0, accuracy: 0 };
let updatedAt = 0;
let measuredAt = 0;
let measuringTook = 0;

const channel = new MessageChannel(); // quicker than a timer, and messages of the page still come between

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

function take(now: Trainer, most: number): void {
  const start = performance.now();
  const step = now.step;
  const taken = now.train(most);
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
  if (!Number.isFinite(taken.loss)) {
    throw new Error(
      `Training diverged at step ${now.step}: the loss is not a number. Start again with a lower learning rate.`,
    );
  }
}

async function finish(now: Trainer): Promise<void> {
  update(now, true);
  running = false;
  if (test !== null) {
    const start = performance.now();
    const work = measuring(now.network, test.images, test.labels, classes);
    let done = work.next();
    while (!done.done) {
      await new Promise((resolve) => setTimeout(resolve));
      if (trainer !== now) return; // it was stopped
      const until = performance.now() + PIECE;
      while (!done.done && performance.now() < until) done = work.next();
    }
    reply({ kind: 'test', run, score: done.value, seconds: (performance.now() - start) / 1000 });
  }
  reply({ kind: 'done', run });
}

async function piece(): Promise<void> {
  scheduled = false;
  const now = trainer;
  if (now === null || !(running || oneStep)) return;
  try {
    if (oneStep) {
      oneStep = false;
      take(now, 1);
      if (now.done) await finish(now);
      else update(now, true);
      return;
    }
    take(now, batches);
    if (now.done) return await finish(now);
    if (!awaited && performance.now() - updatedAt >= BETWEEN) update(now, false);
    schedule();
  } catch (error) {
    fail(error);
  }
}

function fail(error: unknown): void {
  running = false;
  reply({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
}

function end(): void {
  trainer?.network.free();
  trainer = null;
  running = oneStep = awaited = false;
}

function useData(next: TrainingData | null, nextTest: Labelled | null, name: string | null): void {
  end();
  if (data !== embedded && data !== next) data?.free();
  data = next;
  test = nextTest;
  reply({ kind: 'data', name, train: data?.count ?? 0, test: test?.labels.length ?? 0 });
}

async function handle(request: Request): Promise<void> {
  switch (request.kind) {
    case 'open':
      engine = await loadEngine(request.engine);
      if (request.train.labels.length > 0) {
        data = embedded = engine.trainingData(request.train.images, request.train.labels);
      }
      sample = request.sample;
      classes = request.classes;
      return;
    case 'files': {
      const sets = await readSets(request.files, request.shape, classes).catch((error: unknown) => {
        reply({ kind: 'refused', message: error instanceof Error ? error.message : String(error) });
        return null;
      });
      if (sets !== null) useData(engine.trainingData(sets.train.images, sets.train.labels), sets.test, sets.train.name);
      return;
    }
    case 'embedded':
      return useData(embedded, null, null);
    case 'start': {
      end();
      if (data === null) throw new Error('There are no training images; open the files of a data set.');
      const { architecture, weights, recipe, seed } = request;
      trainer = new Trainer(engine.network(architecture, weights), data, recipe, seed);
      run = request.run;
      seconds = 0;
      batches = 1;
      stretch = { images: 0, loss: 0, accuracy: 0 };
      update(trainer, true);
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
      oneStep = true;
      schedule();
      return;
    case 'rate':
      if (trainer !== null) trainer.learningRate = request.learningRate;
      return;
    case 'stop':
      return end();
    case 'seen':
      awaited = false;
  }
}

channel.port1.onmessage = () => void piece();
// One request after the other: the engine loads and files are read in their own time.
let last = Promise.resolve();
self.onmessage = ({ data: request }: MessageEvent<Request>) => {
  last = last.then(() => handle(request)).catch(fail);
};
