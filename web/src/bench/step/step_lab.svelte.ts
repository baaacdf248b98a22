// The state of the instrument that shows training steps phase by phase: the network after the steps so far, and the phase.
import type { LayerRow, Optimizer, OptimizerState, Weights } from '../../engine/types';
import type { Bench } from '../../state/bench.svelte';
import type { LoadedModel } from '../../state/models';
import type { Recipe } from '../../training/recipe';
import { takeOneStep, type OneStep } from './one_step';
import { hasPicture } from './pictures';

// A backward phase shows one layer; "input" is the image.
export type Phase = { kind: 'forward' | 'loss' | 'update' | 'answer' } | { kind: 'back'; layer: string };

// Lists the phases: forward, loss, back dense, back conv2d, back input, update, answer.
export function phasesOf(table: LayerRow[]): Phase[] {
  const layers = table.filter(hasPicture).map(({ layer }) => layer.name);
  const back = ['input', ...layers].reverse().map((layer): Phase => ({ kind: 'back', layer }));
  return [{ kind: 'forward' }, { kind: 'loss' }, ...back, { kind: 'update' }, { kind: 'answer' }];
}

// What earlier steps have made of the network.
interface StepsTaken {
  model: LoadedModel; // the network on the bench before the first step
  start: Weights; // its weights then
  weights: Weights; // after the last step
  optimizer: OptimizerState; // after the last step
  losses: number[]; // the loss before each step
}

// Gradient descent without momentum: a weight moves against its gradient, by the learning rate times its size.
const SGD: Optimizer = { kind: 'SGD' };
const SGD_RATE = 0.1; // lowers the loss of one image visibly in one step

export class StepLab {
  optimizer = $state.raw(SGD);
  learningRate = $state(SGD_RATE);
  chosen = $state<number | null>(null); // the chosen label; null for the image's own label, or the prediction
  phase = $state(0); // index of the current phase
  playing = $state(false);
  #steps = $state.raw<StepsTaken | null>(null);

  constructor(
    readonly bench: Bench,
    readonly recipe: Recipe,
  ) {}

  // The optimizers to choose from: gradient descent, and that of the run's recipe.
  get optimizers(): Optimizer[] {
    return [SGD, this.recipe.optimizer];
  }
  use(optimizer: Optimizer): void {
    this.restart();
    this.optimizer = optimizer;
    this.learningRate = optimizer === SGD ? SGD_RATE : this.recipe.learningRate;
  }

  readonly label = $derived.by((): number => this.chosen ?? this.bench.label ?? this.bench.prediction);
  readonly phases = $derived.by(() => phasesOf(this.bench.table));
  readonly current = $derived.by((): Phase => this.phases[this.phase] ?? this.phases[0]);
  // The steps so far, which count only while the network that they started from is on the bench.
  readonly #valid = $derived.by((): StepsTaken | null => {
    const steps = this.#steps;
    return steps !== null && steps.model === this.bench.model && steps.start === this.bench.weights ? steps : null;
  });
  readonly taken = $derived.by(() => this.#valid?.losses.length ?? 0);
  readonly weights = $derived.by((): Weights => this.#valid?.weights ?? this.bench.weights);
  readonly step = $derived.by((): OneStep =>
    takeOneStep(this.bench.engine, {
      architecture: this.bench.model.architecture,
      weights: this.weights,
      optimizerState: this.#valid?.optimizer ?? null,
      image: this.bench.pixels,
      label: this.label,
      optimizer: this.optimizer,
      clipNorm: this.optimizer === SGD ? undefined : this.recipe.clipNorm,
      learningRate: this.learningRate,
    }),
  );
  readonly losses = $derived.by(() => [...(this.#valid?.losses ?? []), this.step.back.loss]);

  // True if this phase has been reached.
  hasReached(kind: Phase['kind'], layer = ''): boolean {
    const index = this.phases.findIndex(
      (phase) => phase.kind === kind && (phase.kind !== 'back' || phase.layer === layer),
    );
    return index >= 0 && this.phase >= index;
  }

  get isLast(): boolean {
    return this.phase >= this.phases.length - 1;
  }

  // Advances by a phase. After the last one the next step begins, on the updated network.
  next(): void {
    if (!this.isLast) this.phase++;
    else {
      this.accept();
      this.phase = 0;
    }
  }

  goBack(): void {
    this.phase = Math.max(0, this.phase - 1);
  }

  showAll(): void {
    this.phase = this.phases.length - 1;
  }

  // Keeps the updated network for the next step, unless its loss is NaN or infinite.
  accept(): void {
    const { model, weights: start } = this.bench;
    const { after } = this.step.update;
    if (!Number.isFinite(this.step.after.loss)) {
      this.playing = false;
      return;
    }
    this.#steps = { model, start, weights: after.weights, optimizer: after.optimizer, losses: this.losses };
  }

  restart(): void {
    this.playing = false;
    this.#steps = null;
    this.phase = 0;
  }
}
