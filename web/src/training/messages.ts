// What the page and the worker that trains say to each other.
import type { Architecture, Weights } from '../engine/types';
import type { Recipe } from './recipe';
import type { Score } from './score';

export interface Labelled {
  images: Uint8Array; // (N, H, W, C)
  labels: Uint8Array;
}

export type Request =
  // First of all: the engine, what to train on at first, and a sample of test images to measure on.
  | { kind: 'open'; engine: Uint8Array; train: Labelled; sample: Labelled; classes: number }
  // IDX files to train on from now on, of images of this shape.
  | { kind: 'files'; files: File[]; shape: [number, number, number] }
  | { kind: 'embedded' } // back to what came first
  // A fresh run; what is said of it carries its number.
  | {
      kind: 'start';
      run: number;
      architecture: Architecture;
      weights: Weights;
      recipe: Recipe;
      seed: number;
      paused: boolean;
    }
  | { kind: 'resume' }
  | { kind: 'pause' }
  | { kind: 'step' }
  | { kind: 'rate'; learningRate: number }
  | { kind: 'stop' }
  | { kind: 'seen' }; // the last update is on the screen: the next may come

// Since the update before; without images where no step was taken.
export interface Stretch {
  images: number;
  loss: number;
  accuracy: number;
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
  | { kind: 'data'; name: string | null; train: number; test: number } // name null: the embedded images
  | { kind: 'refused'; message: string } // the files; what was there stays
  | { kind: 'update'; run: number; progress: Progress; stretch: Stretch; sample: Score | null; weights: Weights }
  | { kind: 'paused'; run: number }
  | { kind: 'done'; run: number }
  | { kind: 'test'; run: number; score: Score; seconds: number }
  | { kind: 'failed'; message: string };
