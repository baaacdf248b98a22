// The messages between the page and the training worker.
import type { Architecture, Weights } from '../engine/types';
import type { ChosenImages, Conditions } from './conditions';
import type { EpochPoint } from './epoch';
import type { Recipe } from './recipe';
import type { Labelled, Score } from './score';
import type { Update } from './update';
import type { ErrorText } from '../text/error';

export type Request =
  // First of all: the engine, the images to train on, and a sample of test images to measure on.
  | { kind: 'open'; engine: Uint8Array; train: Labelled; sample: Labelled; classes: number }
  // A fresh run; what is said of it carries its number.
  | {
      kind: 'start';
      run: number;
      architecture: Architecture;
      weights: Weights;
      recipe: Recipe;
      conditions: Conditions;
      seed: number;
      paused: boolean;
    }
  | { kind: 'resume' }
  | { kind: 'pause' }
  // Takes one step. With images to watch, the worker also reports the step in parts, with their logits before and after.
  | { kind: 'step'; watched: Uint8Array | null }
  | { kind: 'rate'; learningRate: number }
  | { kind: 'stop' }
  | { kind: 'seen' }; // the last update is on the screen: the next may come

// Results since the previous update; without images if no step was taken.
export interface Stretch {
  images: number;
  loss: number;
  accuracy: number;
}

// A step in all its parts, and its batch.
export interface TakenStep {
  update: Update;
  images: Uint8Array; // (n, H, W, C), before augmentation
  labels: Int32Array; // given to them, right or wrong
}

export interface Progress {
  step: number;
  steps: number;
  epoch: number; // from 1; that of the next step
  images: number; // seen since the start
  seconds: number; // since the start, without pauses; measuring counts
  learningRate: number; // of the last step
}

export type Reply =
  | { kind: 'chosen'; run: number; chosen: ChosenImages } // what this run trains on
  | { kind: 'epoch'; run: number; point: EpochPoint } // after each epoch, and first of all for the untrained network
  | { kind: 'step'; run: number; taken: TakenStep }
  | { kind: 'update'; run: number; progress: Progress; stretch: Stretch; sample: Score | null; weights: Weights }
  | { kind: 'paused'; run: number }
  | { kind: 'done'; run: number }
  | { kind: 'failed'; problem: ErrorText | string };
