// The drawn or opened picture, and how it becomes the image on the bench: after the steps that the reader has switched on.
import { fromRgba, type Picture } from '../../handwriting/picture';
import { prepare, type Prepared } from '../../handwriting/prepare';
import { defaultSteps, STEPS, type StepName } from '../../handwriting/recipe';
import { drawingSize, Raster } from '../../handwriting/strokes';
import type { Bench } from '../../state/bench.svelte';
import { adviceOn } from './preparation_words';

export class Preparation {
  readonly bench: Bench;
  steps = $state.raw<StepName[]>([]); // those that are switched on, in the order of STEPS
  #raster: Raster;

  constructor(bench: Bench) {
    this.bench = bench;
    this.steps = defaultSteps(bench.payload.live.handwriting);
    const [height, width] = bench.images.shape;
    this.#raster = new Raster(drawingSize([height, width]));
  }

  readonly picture = $derived.by((): Picture | null => {
    const { source, payload } = this.bench;
    if (source.kind === 'image') return null;
    if (source.kind === 'file') return fromRgba(source.data, source.height, source.width);
    this.#raster.update(source.strokes);
    return this.#raster.picture(payload.live.handwriting.ink);
  });
  // Null while an embedded image is on the bench, which needs no preparation.
  readonly prepared = $derived.by((): Prepared | null => {
    const { engine, images, payload } = this.bench;
    if (this.picture === null) return null;
    return prepare(engine, this.picture, images.shape, payload.live.handwriting, this.steps);
  });
  readonly advice = $derived.by((): string[] => {
    if (this.prepared === null) return [];
    const { stages, hints, clipped } = this.prepared;
    const on = new Set(stages.filter((stage) => stage.on).map((stage) => stage.name as StepName));
    return adviceOn(hints, clipped, on, this.bench.payload.live.handwriting.ink);
  });

  switchStep(step: StepName, on: boolean): void {
    this.steps = STEPS.filter((candidate) => (candidate === step ? on : this.steps.includes(candidate)));
  }
}
