// The state of a training in the page, as reported by the worker.
import type { Architecture, Weights } from '../engine/types';
import { messageOf, say } from '../text/say.svelte';
import { ALL_IMAGES, type ChosenImages, type Conditions } from './conditions';
import type { EpochPoint } from './epoch';
import type { Progress, Reply, Request, TakenStep } from './messages';
import type { Recipe } from './recipe';
import type { Score } from './score';
import TrainingWorker from './worker?worker&inline';

export type State = 'idle' | 'running' | 'paused' | 'done';

export interface CurvePoint {
  step: number;
  loss: number;
  accuracy: number;
}

const MAX_POINTS = 400; // of a longer curve every second point is dropped

function thinPoints(points: CurvePoint[]): CurvePoint[] {
  return points.length <= MAX_POINTS ? points : points.filter((_, i) => i % 2 === 0 || i === points.length - 1);
}

export interface Material {
  engine: Uint8Array;
  train: { images: Uint8Array; labels: Uint8Array };
  sample: { images: Uint8Array; labels: Uint8Array };
  classes: number;
}

export class TrainingSession {
  state = $state<State>('idle');
  starting = $state(false); // until the worker's first message about a run
  progress = $state.raw<Progress | null>(null);
  sample = $state.raw<Score | null>(null);
  train = $state.raw<CurvePoint[]>([]); // on the images as they were trained on
  test = $state.raw<CurvePoint[]>([]); // on the sample
  chosen = $state.raw<ChosenImages | null>(null); // what the run trains on
  epochs = $state.raw<EpochPoint[]>([]); // one for each epoch that is done, the untrained network first
  taken = $state.raw<TakenStep | null>(null); // the last step that was asked for with images to watch
  weights = $state.raw<Weights | null>(null);
  architecture = $state.raw<Architecture | null>(null); // of the run
  message = $state(''); // what went wrong, as a sentence

  #worker: Worker | null = null;
  #run = 0; // of the current run; messages of others are ignored

  constructor(readonly material: Material) {}

  get numImages(): number {
    return this.material.train.labels.length;
  }

  #send(request: Request): void {
    this.#open().postMessage(request);
  }

  // The worker starts with the first request.
  #open(): Worker {
    if (this.#worker !== null) return this.#worker;
    const worker = new TrainingWorker();
    worker.onmessage = ({ data }: MessageEvent<Reply>) => this.#hear(data);
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
    this.starting = true;
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

  // With images to watch, `taken` then has the step in all its parts.
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
    this.starting = false;
    this.progress = this.sample = this.weights = this.architecture = null;
    this.chosen = this.taken = null;
    this.train = [];
    this.test = [];
    this.epochs = [];
    this.message = '';
  }

  #fail(message: string): void {
    this.message = message;
    this.starting = false;
    if (this.state !== 'idle') this.state = 'done';
  }

  #hear(reply: Reply): void {
    if ('run' in reply && reply.run !== this.#run) {
      if (reply.kind === 'update') this.#send({ kind: 'seen' });
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

  #update({ progress, stretch, sample, weights }: Extract<Reply, { kind: 'update' }>): void {
    // The next update is made when this one has been drawn. A hidden page draws nothing, and training goes on.
    requestAnimationFrame(() => setTimeout(() => this.#send({ kind: 'seen' })));
    this.starting = false;
    this.progress = progress;
    this.weights = weights;
    const { step } = progress;
    if (stretch.images > 0) {
      this.train = thinPoints([...this.train, { step, loss: stretch.loss, accuracy: stretch.accuracy }]);
    }
    if (sample !== null) {
      this.sample = sample;
      this.test = thinPoints([...this.test, { step, loss: sample.loss, accuracy: sample.right / sample.count }]);
    }
  }
}
