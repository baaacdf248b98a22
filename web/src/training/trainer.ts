// Trains a network batch by batch through the epochs of a recipe.
import type { Network, TrainingData } from '../engine/network';
import type { Weights } from '../engine/types';
import type { Stretch } from './messages';
import type { Recipe } from './recipe';
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

  constructor(
    readonly network: Network,
    readonly data: TrainingData,
    readonly recipe: Recipe,
    readonly seed: number,
  ) {
    this.#perEpoch = Math.ceil(data.count / recipe.batchSize);
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

  // Of the step after those that are done.
  get rate(): number {
    return this.learningRate * this.#factors[Math.min(this.step, this.steps - 1)];
  }

  // Takes up to so many steps, none of them of the next epoch. The loss is that of the recipe, smoothed labels and all.
  train(most: number): Stretch {
    const { recipe } = this;
    const inEpoch = this.step % this.#perEpoch;
    if (inEpoch === 0) {
      this.#key = epochKey(this.seed, this.epoch);
      this.#order = permutation(this.data.count, this.#key);
    }
    const batches = Math.min(most, this.#perEpoch - inEpoch);
    const first = inEpoch * recipe.batchSize;
    const score = this.network.train(this.data, {
      order: this.#order.subarray(first, Math.min(first + batches * recipe.batchSize, this.data.count)),
      batchSize: recipe.batchSize,
      learningRates: Float32Array.from({ length: batches }, (_, i) => this.learningRate * this.#factors[this.step + i]),
      optimizer: recipe.optimizer,
      labelSmoothing: recipe.labelSmoothing,
      clipNorm: recipe.clipNorm,
      augmentation: recipe.augmentation,
      key: this.#key,
      first,
    });
    this.step += batches;
    this.images += score.images;
    return score;
  }

  weights(): Weights {
    return this.network.weights();
  }
}
