// Trains a network batch by batch through the epochs of a recipe.
import type { Network, TrainingData } from '../engine/network';
import type { TrainingSteps, Weights } from '../engine/types';
import type { Stretch } from './messages';
import { classWeightsFor, type Recipe } from './recipe';
import { factors } from './schedule';
import { epochKey, permutation } from './shuffle';

export class Trainer {
  readonly steps: number; // of the whole run
  step = 0; // how many are done
  images = 0; // seen
  learningRate: number; // before the schedule's factor

  #factors: Float64Array;
  #order: Int32Array = new Int32Array();
  #key = 0;
  #perEpoch: number;
  #images: number; // of an epoch
  #classWeights: number[] | undefined;

  // `indices` are the images of the data that it trains on; all of them if left out.
  constructor(
    readonly network: Network,
    readonly data: TrainingData,
    readonly recipe: Recipe,
    readonly seed: number,
    readonly indices: Int32Array | null = null,
  ) {
    this.#images = indices?.length ?? data.count;
    this.#perEpoch = Math.ceil(this.#images / recipe.batchSize);
    this.#classWeights = this.#weighClasses();
    this.steps = recipe.epochs * this.#perEpoch;
    this.learningRate = recipe.learningRate;
    this.#factors = factors(recipe.schedule, this.steps);
  }

  get done(): boolean {
    return this.step >= this.steps;
  }

  get epoch(): number {
    return Math.min(Math.floor(this.step / this.#perEpoch), this.recipe.epochs - 1) + 1;
  }

  // Of the next step.
  get rate(): number {
    return this.learningRate * this.#factors[Math.min(this.step, this.steps - 1)];
  }

  // The number of finished epochs; null within an epoch.
  get epochsDone(): number | null {
    return this.step % this.#perEpoch === 0 ? this.step / this.#perEpoch : null;
  }

  // Takes up to `maxSteps` steps of the current epoch. The loss includes label smoothing.
  train(maxSteps: number): Stretch {
    const steps = this.next(maxSteps);
    const score = this.network.train(this.data, steps);
    this.step += steps.learningRates.length;
    this.images += score.images;
    return score;
  }

  // The settings with which `train` would take the next steps.
  next(maxSteps: number): TrainingSteps {
    const { recipe } = this;
    const inEpoch = this.step % this.#perEpoch;
    if (inEpoch === 0) {
      this.#key = epochKey(this.seed, this.epoch);
      this.#order = permutation(this.#images, this.#key);
      const { indices } = this;
      if (indices !== null) this.#order = this.#order.map((i) => indices[i]);
    }
    const batches = Math.min(maxSteps, this.#perEpoch - inEpoch);
    const first = inEpoch * recipe.batchSize;
    return {
      order: this.#order.subarray(first, Math.min(first + batches * recipe.batchSize, this.#images)),
      batchSize: recipe.batchSize,
      learningRates: Float32Array.from({ length: batches }, (_, i) => this.learningRate * this.#factors[this.step + i]),
      optimizer: recipe.optimizer,
      labelSmoothing: recipe.labelSmoothing,
      classWeights: this.#classWeights,
      clipNorm: recipe.clipNorm,
      augmentation: recipe.augmentation,
      key: this.#key,
      first,
    };
  }

  #weighClasses(): number[] | undefined {
    const { classWeights } = this.recipe;
    if (classWeights === undefined) return undefined;
    const labels = this.data.labels;
    const trained = this.indices === null ? labels : this.indices.map((i) => labels[i]);
    return classWeightsFor(this.recipe, trained, this.network.numClasses);
  }

  weights(): Weights {
    return this.network.weights();
  }
}
