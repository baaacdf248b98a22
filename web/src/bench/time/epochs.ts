// The networks of a training, one for each stop of the slider, and their predictions, which are computed between frames.
import type { Work } from '../../analysis/slices';
import type { Network } from '../../engine/network';
import type { Weights } from '../../engine/types';
import type { Bench } from '../../state/bench.svelte';
import type { LoadedModel } from '../../state/models';
import { measureInPieces, type Score } from '../../training/score';
import { weightsAt, type Stop } from './stops';

export class EpochNetworks {
  #networks = new Map<number | null, Network>(); // by the epoch of the stop; null is the trained model
  #scores = new Map<number | null, Score>();

  constructor(
    readonly bench: Bench,
    readonly model: LoadedModel,
    readonly stops: Stop[],
  ) {}

  #network(stop: Stop): Network {
    let network = this.#networks.get(stop.epoch);
    if (network === undefined) {
      // Networks are available once all snapshots are unpacked.
      network = this.bench.engine.network(this.model.architecture, weightsAt(this.model, stop) as Weights);
      this.#networks.set(stop.epoch, network);
    }
    return network;
  }

  // Predicts one image at every stop: probabilities (K,).
  *predict(pixels: Uint8Array): Work<Float32Array[]> {
    const probabilities: Float32Array[] = [];
    for (const stop of this.stops) {
      probabilities.push(this.#network(stop).forward(pixels).probabilities.slice());
      yield probabilities.length / this.stops.length;
    }
    return probabilities;
  }

  // Scores the network of a stop on the fair sample, the first `numSample` embedded images.
  *score(stop: Stop): Work<Score> {
    const cached = this.#scores.get(stop.epoch);
    if (cached !== undefined) return cached;
    const { images, classNames } = this.bench;
    const size = images.shape[0] * images.shape[1] * images.shape[2];
    const labels = Uint8Array.from(images.labels).subarray(0, images.numSample);
    const pixels = images.pixels.subarray(0, images.numSample * size);
    const score = yield* measureInPieces(this.#network(stop), pixels, labels, classNames.length);
    this.#scores.set(stop.epoch, score);
    return score;
  }

  // Finds the images of the sample with this label and this prediction.
  imagesOf(stop: Stop, truth: number, predicted: number): number[] {
    const predictions = this.#scores.get(stop.epoch)?.predictions ?? [];
    const { labels } = this.bench.images;
    return predictions.flatMap((prediction, i) => (prediction === predicted && labels[i] === truth ? [i] : []));
  }

  free(): void {
    for (const network of this.#networks.values()) network.free();
    this.#networks.clear();
  }
}
