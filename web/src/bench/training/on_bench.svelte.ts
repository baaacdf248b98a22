// Puts the network that trains on the bench. It stays there until the reader leaves it, or another view replaces it.
import { untrack } from 'svelte';
import type { Weights } from '../../engine/types';
import type { Bench } from '../../state/bench.svelte';
import type { LoadedModel } from '../../state/models';
import { say } from '../../text/say.svelte';
import type { TrainingSession } from '../../training/session.svelte';
import { Computation } from '../parts/computation.svelte';
import { measureMeans, type Measured } from './means';

export class NetworkOnBench {
  #isWanted = $state(false); // the reader started a training or asked to see it
  // The object that was put on the bench last, a new one at each step. If the bench has another, somebody replaced it.
  #shown = $state.raw<Bench['trained']>(null);
  readonly isFollowing = $derived.by(
    () => this.#isWanted && (this.#shown === null || this.bench.trained === this.#shown),
  );

  // Ablations need each filter's mean over the sample. It is computed when the training pauses or ends. Until then, and
  // after the next step, which has new weights, there are none.
  #measured: Measured | null = null;
  readonly #averaging = new Computation<Measured>();

  constructor(
    readonly bench: Bench,
    readonly session: () => TrainingSession | null,
  ) {
    $effect(() => {
      const now = session();
      if (now?.weights && now.epochs && now.state) untrack(() => this.#show());
    });
    $effect(() => {
      const { weights, architecture, state } = session() ?? {};
      if (!weights || !architecture || (state !== 'paused' && state !== 'done')) return;
      const sample = Array.from({ length: bench.images.numSample }, (_, i) => bench.images.image(i));
      untrack(() => this.#averaging.start(() => measureMeans(bench.engine, architecture, weights, sample)));
      return () => this.#averaging.cancel();
    });
    $effect(() => {
      if (this.#averaging.value === null) return;
      this.#measured = this.#averaging.value;
      untrack(() => this.#show());
    });
  }

  follow(): void {
    if (!this.bench.isOnPage) this.bench.showTrained();
    this.#clear();
    this.#shown = null;
    this.#isWanted = true;
    this.#show();
  }

  leave(): void {
    if (this.bench.trained !== null && this.bench.trained === this.#shown) {
      this.#clear();
      this.bench.trained = null;
    }
    this.#isWanted = false;
  }

  // Returns the filters' means if they were measured with these weights.
  meansOf(weights: Weights | null): Record<string, Float32Array> {
    return this.#measured?.weights === weights ? (this.#measured?.means ?? {}) : {};
  }

  #show(): void {
    const session = this.session();
    const { weights, architecture, table, sample, accuracy, progress, state } = session ?? {};
    if (!session || !weights || !architecture || !table || !this.isFollowing) return;
    const isTraining = state === 'running';
    const name = say(`training.names.${isTraining ? 'training' : 'trained'}`, { name: architecture.name });
    const means = this.meansOf(weights);
    const { checkpoints, snapshots } = session;
    const model: LoadedModel = { name, architecture, table, weights, means, checkpoints, snapshots };
    const epoch = progress?.epoch ?? 0;
    const numSample = sample?.count ?? 0;
    this.bench.trained = this.#shown = { model, epoch, accuracy: accuracy ?? null, numSample, isTraining };
  }

  // Held cells and ablations belong to layers that the other network may not have.
  #clear(): void {
    this.bench.ablations = [];
    this.bench.held = this.bench.hovered = null;
    this.bench.epoch = null;
  }
}
