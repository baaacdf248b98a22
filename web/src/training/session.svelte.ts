// A training in the page: sends requests to the worker and keeps the state that it reports.
import { layerTable } from '../engine/architecture';
import type { Checkpoint, Architecture, Weights } from '../engine/types';
import { messageOf, say } from '../text/say.svelte';
import { ALL_IMAGES, type ChosenImages, type Conditions } from './conditions';
import type { EpochPoint } from './epoch';
import type { Progress, Reply, Request, TakenStep } from './messages';
import type { Recipe } from './recipe';
import type { Labelled, Score } from './score';
import TrainingWorker from './worker?worker&inline';

// idle ─ start ─▶ running ─ the worker paused ─▶ paused ─ resume ─▶ running ─ the last step, or an error ─▶ done
// A start can also begin in pause, a step stays there, and `reset` makes any state idle.
export type State = 'idle' | 'running' | 'paused' | 'done';

export interface CurvePoint {
  step: number;
  loss: number;
  accuracy: number;
}

const MAX_CHECKPOINTS = 24; // of more, every second one after the first epoch is dropped
const MAX_POINTS = 400; // a longer curve loses every second point

function thinPoints(points: CurvePoint[]): CurvePoint[] {
  return points.length <= MAX_POINTS ? points : points.filter((_, i) => i % 2 === 0 || i === points.length - 1);
}

const thinCheckpoints = (points: Checkpoint[]): Checkpoint[] =>
  points.length <= MAX_CHECKPOINTS ? points : points.filter(({ epoch }, i) => epoch <= 1 || i % 2 === 0);

// What all runs of a session share.
export interface Material {
  engine: Uint8Array; // the WebAssembly module
  train: Labelled; // the images to train on, of which a run can choose some
  sample: Labelled; // test images to measure on
  classes: number;
}

export class TrainingSession {
  state = $state<State>('idle');
  isStarting = $state(false); // until the worker's first message about a run
  progress = $state.raw<Progress | null>(null);
  sample = $state.raw<Score | null>(null);
  readonly accuracy = $derived(this.sample ? this.sample.correct / this.sample.count : null); // on the sample
  train = $state.raw<CurvePoint[]>([]); // measured on the images in training, with augmentation and dropout
  test = $state.raw<CurvePoint[]>([]); // measured on the sample of test images
  chosen = $state.raw<ChosenImages | null>(null); // the images that the run trains on
  epochs = $state.raw<EpochPoint[]>([]); // a point for the untrained network and for each finished epoch
  taken = $state.raw<TakenStep | null>(null); // the last step with watched images
  weights = $state.raw<Weights | null>(null);
  checkpoints = $state.raw<Checkpoint[]>([]); // the points of the training whose weights are kept
  snapshots = new Map<number, Weights>(); // by the checkpoint's epoch
  architecture = $state.raw<Architecture | null>(null); // the network that the run trains
  readonly table = $derived(this.architecture ? layerTable(this.architecture) : null);
  message = $state(''); // the error as a sentence; empty without one

  #worker: Worker | null = null; // starts with the first request
  #run = 0; // number of the current run; messages of earlier runs are ignored

  constructor(readonly material: Material) {}

  get numImages(): number {
    return this.material.train.labels.length;
  }

  #send(request: Request): void {
    this.#openWorker().postMessage(request);
  }

  #openWorker(): Worker {
    if (this.#worker !== null) return this.#worker;
    const worker = new TrainingWorker();
    worker.onmessage = ({ data }: MessageEvent<Reply>) => this.#handle(data);
    worker.onerror = (event) => this.#fail(event.message || say('refused.engine.worker'));
    worker.postMessage({ kind: 'open', ...this.material } satisfies Request);
    return (this.#worker = worker);
  }

  start(
    architecture: Architecture,
    weights: Weights,
    recipe: Recipe,
    seed: number,
    paused = false,
    conditions: Conditions = ALL_IMAGES,
  ): void {
    this.#clear();
    this.architecture = architecture;
    this.isStarting = true;
    this.state = paused ? 'paused' : 'running';
    this.#send({ kind: 'start', run: this.#run, architecture, weights, recipe, conditions, seed, paused });
  }

  resume(): void {
    if (this.state !== 'paused') return;
    this.state = 'running';
    this.#send({ kind: 'resume' });
  }

  pause(): void {
    if (this.state === 'running') this.#send({ kind: 'pause' });
  }

  // Takes one step. With watched images, `taken` then has the step in parts.
  step(watched: Uint8Array | null = null): void {
    if (this.state === 'paused') this.#send({ kind: 'step', watched });
  }

  setLearningRate(learningRate: number): void {
    if (this.state === 'running' || this.state === 'paused') this.#send({ kind: 'rate', learningRate });
  }

  reset(): void {
    if (this.#worker !== null) this.#send({ kind: 'stop' });
    this.#clear();
  }

  close(): void {
    this.#worker?.terminate();
    this.#worker = null;
  }

  #clear(): void {
    this.#run++;
    this.state = 'idle';
    this.isStarting = false;
    this.progress = this.sample = this.weights = this.architecture = null;
    this.chosen = this.taken = null;
    this.checkpoints = [];
    this.snapshots = new Map();
    this.train = [];
    this.test = [];
    this.epochs = [];
    this.message = '';
  }

  #fail(message: string): void {
    this.message = message;
    this.isStarting = false;
    if (this.state !== 'idle') this.state = 'done';
  }

  #handle(reply: Reply): void {
    if ('run' in reply && reply.run !== this.#run) {
      if (reply.kind === 'update') this.#send({ kind: 'seen' }); // the worker sends no update before the last one is seen
      return;
    }
    switch (reply.kind) {
      case 'chosen':
        this.chosen = reply.chosen;
        return;
      case 'epoch':
        this.epochs = [...this.epochs, reply.point];
        return;
      case 'step':
        this.taken = reply.taken;
        return;
      case 'update':
        return this.#update(reply);
      case 'paused':
        if (this.state === 'running') this.state = 'paused';
        return;
      case 'done':
        this.state = 'done';
        return;
      case 'failed':
        return this.#fail(messageOf(reply.problem));
    }
  }

  #update({ progress, stretch, sample, weights, isCheckpoint }: Extract<Reply, { kind: 'update' }>): void {
    // Asks for the next update when this one is drawn. A hidden page draws nothing and gets no updates; training goes on.
    requestAnimationFrame(() => setTimeout(() => this.#send({ kind: 'seen' })));
    this.isStarting = false;
    this.progress = progress;
    this.weights = weights;
    const { step, epoch } = progress;
    if (isCheckpoint && sample !== null) {
      const { loss, correct, count } = sample;
      const point = { epoch, step, loss, accuracy: correct / count, num_images: count };
      this.snapshots.set(epoch, weights);
      this.checkpoints = thinCheckpoints([...this.checkpoints, point]);
      const kept = new Set(this.checkpoints.map((checkpoint) => checkpoint.epoch));
      for (const old of this.snapshots.keys()) if (!kept.has(old)) this.snapshots.delete(old);
    }
    if (stretch.images > 0) {
      this.train = thinPoints([...this.train, { step, loss: stretch.loss, accuracy: stretch.accuracy }]);
    }
    if (sample !== null) {
      this.sample = sample;
      this.test = thinPoints([...this.test, { step, loss: sample.loss, accuracy: sample.correct / sample.count }]);
    }
  }
}
