// The stops of the slider: the snapshots of a training, and the trained model.
import type { Weights } from '../../engine/types';
import type { History } from '../../payload/types';
import type { LoadedModel } from '../../state/models';
import { say } from '../../text/say.svelte';

export interface Stop {
  epoch: number | null; // epoch of a snapshot; null for the trained model
  at: number; // number of trained epochs
  exact: boolean; // the weights are those of the training; false for the rounded weights of a snapshot
  text: string;
}

// Makes the stops of a model's slider. For snapshots 0, 2 and 4 of a training of 4 epochs, they are 0, 2 and the
// trained model, which is snapshot 4 without its rounding. If epoch 2 was the best, they are 0, 2, 4 and the trained
// model.
export function stopsOf(model: LoadedModel, history: History | null): Stop[] {
  const trained = history?.best_epoch ?? history?.loss.length ?? model.epochs.at(-1) ?? 0;
  const earlier = model.epochs.filter((epoch, i) => i < model.epochs.length - 1 || epoch !== trained);
  const stops = earlier.map((epoch) => ({
    epoch,
    at: epoch,
    exact: false,
    text: epoch === 0 ? say('time.stops.untrained') : say('time.stops.epoch', { epoch }),
  }));
  const isBest = history !== null && trained < history.loss.length;
  const text = isBest ? say('time.stops.best', { epoch: trained }) : say('time.stops.trained', { n: trained });
  return [...stops, { epoch: null, at: trained, exact: true, text }];
}

// Finds the stop of the bench's epoch.
export function positionOf(stops: Stop[], epoch: number | null): number {
  const position = stops.findIndex((stop) => stop.epoch === epoch);
  return Math.max(0, position); // the first stop for an epoch without one
}

// Undefined until the snapshot is unpacked.
export function weightsAt(model: LoadedModel, stop: Stop): Weights | undefined {
  return stop.epoch === null ? model.weights : model.snapshots.get(stop.epoch);
}
