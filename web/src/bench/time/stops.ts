// The stops of the slider: the snapshots of a training, and the trained model.
import type { Checkpoint, Weights } from '../../engine/types';
import type { History } from '../../payload/types';
import type { TrainedHere } from '../../state/bench.svelte';
import type { LoadedModel } from '../../state/models';
import { say } from '../../text/say.svelte';

export interface Stop {
  epoch: number | null; // epoch of a snapshot; null for the trained model
  at: number; // number of trained epochs, such as 30 / 469 within the first
  step: number | null; // number of steps; null if the training did not count them
  accuracy: number | null; // of the images that were measured then; null without any
  numImages: number; // how many; 0 for all
  exact: boolean; // the weights are those of the training; false for the rounded weights of a snapshot
  text: string;
}

// Makes the stops of a model's slider. For snapshots 0, 2 and 4 of a training of 4 epochs, they are 0, 2 and the
// trained model, which is snapshot 4 without its rounding. If epoch 2 was the best, they are 0, 2, 4 and the trained
// model. A network that trains in the page, `here`, ends with its present weights.
export function stopsOf(model: LoadedModel, history: History | null, here: TrainedHere | null = null): Stop[] {
  const { checkpoints } = model;
  const trained = here?.epoch ?? history?.best_epoch ?? history?.loss.length ?? checkpoints.at(-1)?.epoch ?? 0;
  const measured = (epoch: number): number | null => history?.val_accuracy[epoch - 1] ?? null;
  const earlier = checkpoints.filter(({ epoch }, i) => i < checkpoints.length - 1 || epoch !== trained);
  const stops = earlier.map((checkpoint) => ({
    epoch: checkpoint.epoch,
    at: checkpoint.epoch,
    step: checkpoint.step,
    accuracy: checkpoint.accuracy ?? measured(checkpoint.epoch),
    numImages: here !== null || !isMeasuredWhole(checkpoint) ? checkpoint.num_images : 0,
    exact: here !== null,
    text: stopText(checkpoint),
  }));
  const isBest = history !== null && trained < history.loss.length;
  const text = isBest ? say('time.stops.best', { epoch: trained }) : say('time.stops.trained', { n: trained });
  const last: Stop = {
    epoch: null,
    at: trained,
    step: checkpoints.find(({ epoch }) => epoch === trained)?.step ?? null,
    accuracy: here === null ? measured(trained) : here.accuracy,
    numImages: here?.numSample ?? 0,
    exact: true,
    text: here === null ? text : say(here.isTraining ? 'time.stops.training' : 'time.stops.here'),
  };
  return [...stops, last];
}

// At the end of an epoch all images are measured, within one some of them.
const isMeasuredWhole = ({ epoch }: Checkpoint): boolean => epoch > 0 && Number.isInteger(epoch);

function stopText({ epoch, step }: Checkpoint): string {
  if (epoch === 0) return say('time.stops.untrained');
  if (Number.isInteger(epoch) || step === null) return say('time.stops.epoch', { epoch });
  return say('time.stops.step', { n: step });
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
