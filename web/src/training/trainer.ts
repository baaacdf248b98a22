// Trains a network batch by batch through the epochs of a recipe.
import type { Network, TrainingData } from '../engine/network';
import type { TrainingSteps, Weights } from '../engine/types';
import type { Stretch } from './messages';
import { classWeightsFor, type Recipe } from './recipe';
import { scheduleFactors } from './schedule';
import { epochKey, permutation } from './shuffle';

export class Trainer {
  readonly steps: number; // number of steps of the whole run
  step = 0; // number of steps done
  learningRate: number; // before the schedule's factor

  #scheduleFactors: Float64Array;
  #order: Int32Array = new Int32Array(); // the images of the current epoch, as indices into the data
  #key = 0; // random key of the current epoch
  #stepsPerEpoch: number;
  #imagesPerEpoch: number;
  #classWeights: number[] | undefined;

  // `indices` selects images of the data to train on; null selects all.
  constructor(
    readonly network: Network,
    readonly data: TrainingData,
    readonly recipe: Recipe,
    readonly seed: number,
    readonly indices: Int32Array | null = null,
  ) {
    this.#imagesPerEpoch = indices?.length ?? data.count;
    this.#stepsPerEpoch = Math.ceil(this.#imagesPerEpoch / recipe.batchSize);
    this.#classWeights = this.#weighClasses();
    this.steps = recipe.epochs * this.#stepsPerEpoch;
    this.learningRate = recipe.learningRate;
    this.#scheduleFactors = scheduleFactors(recipe.schedule, this.steps);
  }

  get isDone(): boolean {
    return this.step >= this.steps;
  }

  // The epoch of the next step, from 1.
  get epoch(): number {
    return Math.min(Math.floor(this.step / this.#stepsPerEpoch), this.recipe.epochs - 1) + 1;
  }

  // The number of finished epochs; null within an epoch.
  get epochsDone(): number | null {
    return this.step % this.#stepsPerEpoch === 0 ? this.step / this.#stepsPerEpoch : null;
  }

  // Takes up to `maxSteps` steps of the current epoch. The loss includes label smoothing.
  train(maxSteps: number): Stretch {
    const steps = this.nextSteps(maxSteps);
    const score = this.network.train(this.data, steps);
    this.step += steps.learningRates.length;
    return score;
  }

  // Makes the settings of the next steps: at most `maxSteps`, and none after the end of the epoch. In batches of 4, an
  // epoch over 10 images has steps with images 0 to 3, 4 to 7, and 8 and 9 of its order. The first steps of an epoch
  // shuffle the images by the seed and the epoch, so a second call gives the same order.
  nextSteps(maxSteps: number): TrainingSteps {
    const { recipe } = this;
    const inEpoch = this.step % this.#stepsPerEpoch; // steps of the epoch that are done
    if (inEpoch === 0) {
      this.#key = epochKey(this.seed, this.epoch);
      this.#order = permutation(this.#imagesPerEpoch, this.#key);
      const { indices } = this;
      if (indices !== null) this.#order = this.#order.map((i) => indices[i]);
    }
    const batches = Math.min(maxSteps, this.#stepsPerEpoch - inEpoch);
    const first = inEpoch * recipe.batchSize; // where the next batch begins in the epoch's order
    return {
      order: this.#order.subarray(first, Math.min(first + batches * recipe.batchSize, this.#imagesPerEpoch)),
      batchSize: recipe.batchSize,
      learningRates: Float32Array.from(
        { length: batches },
        (_, i) => this.learningRate * this.#scheduleFactors[this.step + i],
      ),
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
