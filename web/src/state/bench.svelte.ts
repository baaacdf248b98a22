// The state of the bench, which all views share: image, model, epoch, ablations and the chosen cell. Everything that is shown
// follows from it.
import { largest } from '../analysis/largest';
import { replacementsFor, sameAblation, withoutParts, type Ablation } from '../analysis/ablations';
import { mapOf } from '../analysis/ranges';
import { sizesOf, unflatten, type Cell } from '../analysis/receptive';
import { rowNamed } from '../engine/architecture';
import type { Engine } from '../engine/engine';
import type { Forward, Network } from '../engine/network';
import type { LayerRow, Weights } from '../engine/types';
import type { Payload } from '../payload/types';
import type { Images, LoadedModel } from './models';
import type { Source } from './source';
import type { Tab } from './tabs';
import { LastResults } from './last_results.svelte';

export type { Cell, Tab };

export interface TrainedHere {
  model: LoadedModel;
  epoch: number; // number of epochs that are done, 0.5 in the middle of the first
  accuracy: number | null; // the last measured accuracy
  numSample: number; // number of images on which it was measured
  isTraining: boolean;
}

// What a bench is about: data, networks and images.
export interface Subject {
  payload: Payload;
  models: LoadedModel[];
  images: Images;
}

const MAX_NETWORKS = 8; // that stay in the engine: the most recently used

export class Bench {
  readonly engine: Engine;
  readonly page: Subject; // the run of the page
  subject = $state.raw<Subject>() as Subject; // `page`, or a network for the reader's own classes

  modelIndex = $state(0);
  epoch = $state<number | null>(null); // the epoch of the shown snapshot; null for the trained model
  ablations = $state.raw<Ablation[]>([]);
  hovered = $state.raw<Cell | null>(null); // the cell under the pointer
  held = $state.raw<Cell | null>(null); // the cell that was clicked
  rival = $state<number | null>(null); // the class to compare with; null for the second most likely
  sliding = $state.raw<Cell | null>(null); // the cell that is computed while a kernel slides over the map
  reach = $state<number | null>(null); // layers back in which the receptive field is framed; null for all
  tab = $state<Tab>('how'); // the open instrument
  lesson = $state<string | null>(null); // the id of the open lesson, or that of the list
  answers = $state.raw<Record<string, string>>({}); // to the questions of lessons, by their ids
  isEmbedded = $state(false); // only the instrument is shown, without header, image, layers and report
  source = $state.raw<Source>({ kind: 'drawing', strokes: [] });
  pixels = $state.raw<Uint8Array>(new Uint8Array()); // (H, W, C): the input of the network
  // A network that trains in the page; it replaces the first model.
  trained = $state.raw<TrainedHere | null>(null);

  // The training of the page, for the button on the first screen; null until its images are unpacked.
  trainer = $state.raw<{ state: 'idle' | 'running' | 'paused' | 'done'; toggle: () => void } | null>(null);

  readonly lastResults = new LastResults();

  forwardMilliseconds = 0; // duration of the last forward pass

  #networks = new Map<string, Network>();
  #weights = new WeakMap<Weights, number>(); // a number for each weights object, for the keys of #networks
  #numWeights = 0;

  constructor(payload: Payload, engine: Engine, models: LoadedModel[], images: Images) {
    this.engine = engine;
    this.page = this.subject = { payload, models, images };
    const [height, width, channels] = images.shape;
    this.pixels = new Uint8Array(height * width * channels);
  }

  get payload(): Payload {
    return this.subject.payload;
  }
  get models(): LoadedModel[] {
    return this.subject.models;
  }
  get images(): Images {
    return this.subject.images;
  }
  get classNames(): string[] {
    return this.payload.evaluation.class_names;
  }
  get isOnPage(): boolean {
    return this.subject === this.page;
  }

  readonly model = $derived.by((): LoadedModel => this.trained?.model ?? this.models[this.modelIndex]);
  readonly table = $derived.by((): LayerRow[] => this.model.table);
  readonly learned = $derived.by(
    (): Weights => (this.epoch === null ? undefined : this.model.snapshots.get(this.epoch)) ?? this.model.weights,
  );
  // Weights that the reader put in place of `from`. They are not shown with another model or epoch.
  #changed = $state.raw<{ from: Weights; weights: Weights } | null>(null);
  readonly isChanged = $derived.by((): boolean => this.#changed?.from === this.learned);
  readonly weights = $derived.by((): Weights => (this.isChanged ? this.#changed!.weights : this.learned));
  // The network with all its parts. Get it anew for each use, since networks that are not used for a while are freed.
  get whole(): Network {
    return this.network(this.model, this.weights, []);
  }
  get ablated(): Network {
    return this.network(this.model, this.weights, this.ablations);
  }
  readonly replacements = $derived.by(() => replacementsFor(this.table, this.model.means, this.ablations));

  readonly forward = $derived.by((): Forward => {
    const start = performance.now();
    const forward = this.ablated.forward(this.pixels, this.replacements);
    this.forwardMilliseconds = performance.now() - start;
    return forward;
  });
  // The forward pass without ablations.
  readonly intact = $derived.by((): Forward =>
    this.ablations.length === 0 ? this.forward : this.whole.forward(this.pixels),
  );
  readonly prediction = $derived.by((): number => largest(this.forward.logits));
  readonly runnerUp = $derived.by((): number => largest(this.forward.logits, this.prediction));
  // The class that the prediction is compared with.
  readonly against = $derived.by((): number =>
    this.rival === null || this.rival === this.prediction ? this.runnerUp : this.rival,
  );
  // The cell that is shown first: the strongest of a filter of the first convolution, or of the first layer with weights.
  // The filter is the strongest for the image with which the network is first shown, and stays for all images.
  #first: { table: LayerRow[]; map: number } | null = null;
  readonly strongest = $derived.by((): Cell => {
    const row =
      this.table.find(({ layer }) => layer.kind === 'Conv2D') ??
      this.table.find(({ parameters }) => parameters > 0) ??
      this.table[0];
    if (this.#first?.table !== this.table) this.#first = { table: this.table, map: this.strongestIn(row).map };
    return this.strongestIn(row, this.#first.map);
  });
  // The cell that the reader looks at: of the sliding kernel, else the held one, else the one under the pointer.
  readonly looked = $derived.by((): Cell | null => this.sliding ?? this.held ?? this.hovered);
  #last: Cell | null = null; // the cell that the reader looked at last
  readonly cell = $derived.by((): Cell => {
    this.#last = this.looked ?? this.#last;
    return this.#last ?? this.strongest;
  });
  // True if nothing is drawn yet, so that there is no prediction to show.
  readonly isEmpty = $derived.by((): boolean => this.source.kind === 'drawing' && this.source.strokes.length === 0);
  readonly label = $derived.by((): number | null =>
    this.source.kind === 'image' ? this.images.labels[this.source.position] : null,
  );

  // Makes a network with these weights and without the ablated parts, or takes it from the cache.
  network(model: LoadedModel, weights: Weights, ablations: Ablation[]): Network {
    const key = this.#keyOf(weights, ablations);
    const cached = this.#networks.get(key);
    if (cached !== undefined) {
      this.#networks.delete(key);
      this.#networks.set(key, cached); // moved to the end: the first is then the least recently used
      return cached;
    }
    const changed = withoutParts(model.architecture, weights, ablations);
    const network = this.engine.network(changed.architecture, changed.weights);
    this.#networks.set(key, network);
    if (this.#networks.size > MAX_NETWORKS) {
      const [oldest, unused] = this.#networks.entries().next().value as [string, Network];
      this.#networks.delete(oldest);
      unused.free();
    }
    return network;
  }

  // Names a network by its weights and its removed parts: "3 conv2d/bias". Replaced filters need no network of their own.
  #keyOf(weights: Weights, ablations: Ablation[]): string {
    const removed = ablations
      .filter((ablation) => ablation.part !== 'filter')
      .map((ablation) => `${ablation.layer}/${ablation.part}`);
    let number = this.#weights.get(weights);
    if (number === undefined) this.#weights.set(weights, (number = this.#numWeights++));
    return `${number} ${removed.sort().join(' ')}`;
  }

  // Finds the cell with the largest value of a layer's output, or of one of its maps.
  strongestIn({ index, layer, outputShape }: LayerRow, map?: number): Cell {
    const values = this.forward.activations[index];
    const maps = outputShape.at(-1)!;
    const best = map === undefined ? largest(values) : largest(mapOf(values, maps, map)) * maps + map;
    return { layer: layer.name, ...unflatten(outputShape, best) };
  }

  // Holds the cell in the middle of a map.
  holdMap(layer: string, map: number): void {
    const shape = layer === 'input' ? this.images.shape : rowNamed(this.table, layer).outputShape;
    const [rows, columns] = sizesOf(shape);
    this.held = { layer, map, row: Math.floor(rows / 2), column: Math.floor(columns / 2) };
  }

  releaseCell(): void {
    this.held = this.hovered = this.sliding = this.#last = null;
  }

  // Shows the page's own trained model, without ablations.
  showTrained(): void {
    this.use(this.page);
  }

  // Shows the network with these weights in place of those that it has learnt.
  change(weights: Weights): void {
    const isLearned = Object.keys(weights).every((name) => weights[name].every((w, i) => w === this.learned[name][i]));
    this.#changed = isLearned ? null : { from: this.learned, weights };
  }

  // Puts the first model of this subject on the bench. A drawing stays there; an image of another subject does not.
  use(subject: Subject): void {
    const isNew = subject !== this.subject;
    this.subject = subject;
    this.trained = null;
    this.show(0);
    if (!isNew) return;
    this.rival = null;
    if (this.source.kind === 'image') this.choose(0);
  }

  // Puts an embedded image on the bench, by its position among them.
  choose(position: number): void {
    this.source = { kind: 'image', position };
    this.pixels = this.images.image(position);
  }

  // Shows a model of the page, trained and without ablations.
  show(model: number): void {
    this.modelIndex = model;
    this.epoch = null;
    this.ablations = [];
    this.#changed = null;
    this.releaseCell();
  }

  isOff(ablation: Ablation): boolean {
    return this.ablations.some((item) => sameAblation(item, ablation));
  }

  toggle(ablation: Ablation): void {
    const others = this.ablations.filter((item) => !sameAblation(item, ablation));
    this.ablations = others.length < this.ablations.length ? others : [...this.ablations, ablation];
  }
}

export function isSameCell(a: Cell | null, b: Cell | null): boolean {
  return (
    a === b ||
    (a !== null && b !== null && a.layer === b.layer && a.map === b.map && a.row === b.row && a.column === b.column)
  );
}
