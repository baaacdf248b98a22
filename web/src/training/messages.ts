// The messages between the page and the training worker. The replies about a run are
//     chosen, update, epoch 0, update update ... epoch 1, ..., update, done (or at any time paused or failed).
import type { Architecture, Weights } from '../engine/types';
import type { ChosenImages, Conditions } from './conditions';
import type { EpochPoint } from './epoch';
import type { Recipe } from './recipe';
import type { Labelled, Score } from './score';
import type { Update } from './update';
import type { ErrorText } from '../text/error';

export type Request =
  // The first request: the engine, the images to train on, and a sample of test images to measure on.
  | { kind: 'open'; engine: Uint8Array; train: Labelled; sample: Labelled; classes: number }
  // Starts a new run. Replies about it carry its number.
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
  // Takes one step. With watched images, the worker also reports the step in parts, with their logits before and after.
  | { kind: 'step'; watched: Uint8Array | null }
  | { kind: 'rate'; learningRate: number }
  | { kind: 'stop' }
  | { kind: 'seen' }; // the last update is on the screen, so the next may come

// The training since the previous update.
export interface Stretch {
  images: number; // 0 if no step was taken
  loss: number;
  accuracy: number;
}

// A training step in parts, and its batch.
export interface TakenStep {
  update: Update;
  images: Uint8Array; // (n, H, W, C), before augmentation
  labels: Int32Array; // the labels to train with, correct or wrong
}

export interface Progress {
  step: number;
  steps: number;
  epoch: number; // number of epochs that are done, 0.5 in the middle of the first
  seconds: number; // training and measuring since the start, without pauses
}

export type Reply =
  | { kind: 'chosen'; run: number; chosen: ChosenImages } // the images that this run trains on
  | { kind: 'epoch'; run: number; point: EpochPoint } // for the untrained network, and after each epoch
  | { kind: 'step'; run: number; taken: TakenStep }
  | {
      kind: 'update';
      run: number;
      progress: Progress;
      stretch: Stretch;
      sample: Score | null;
      weights: Weights;
      isCheckpoint: boolean; // these weights are kept: after steps 0, 1, 3, 10, 30, ... and each epoch
    }
  | { kind: 'paused'; run: number }
  | { kind: 'done'; run: number }
  | { kind: 'failed'; problem: ErrorText | string };
