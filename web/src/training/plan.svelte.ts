// The reader's choices for a training, before it starts. Layers are inserted into `#edited` and removed from it. The
// controls of width and dropout make `architecture` of it, which can have a dropout before the logits that it lacks.
import { layerTable } from '../engine/architecture';
import type { Architecture, Augmentation, LayerRow } from '../engine/types';
import { messageOf, say } from '../text/say.svelte';
import { ALL_IMAGES, type Conditions } from './conditions';
import { dropoutRate, logitsIndex, scaleWidth, withDropout, withInserted, withoutLayer } from './edit_architecture';
import type { InsertableKind } from './edit_architecture';
import type { Recipe } from './recipe';

export const WIDTHS = [0.5, 1, 2];

export class Plan {
  recipe = $state.raw<Recipe>() as Recipe;
  learningRate = $state(0);
  batchSize = $state(0);
  epochs = $state(0);
  seed = $state(0);
  width = $state(1);
  dropout = $state(0);
  conditions = $state.raw<Conditions>(ALL_IMAGES);
  augmentation = $state.raw<Augmentation>({});
  #edited = $state.raw<Architecture>() as Architecture;
  #base = $state.raw<Architecture>() as Architecture; // the network that the reader began with

  constructor(architecture: Architecture, recipe: Recipe) {
    this.useArchitecture(architecture);
    this.useRecipe(recipe);
  }

  readonly architecture = $derived.by(() => withDropout(scaleWidth(this.#edited, this.width), this.dropout));
  readonly isChanged = $derived.by(
    () => this.#edited !== this.#base || this.width !== 1 || this.dropout !== dropoutRate(this.#base),
  );
  // The layer table, or the reason why the layers are not a valid network.
  readonly checked = $derived.by((): { table: LayerRow[]; problem: null } | { table: null; problem: string } => {
    try {
      const table = layerTable(this.architecture);
      return this.#checkClasses(table) ?? { table, problem: null };
    } catch (error) {
      return { table: null, problem: messageOf(error) };
    }
  });
  // The recipe with the reader's changes.
  readonly chosen = $derived.by((): Recipe => ({
    ...this.recipe,
    learningRate: this.learningRate,
    batchSize: this.batchSize,
    epochs: this.epochs,
    augmentation: this.augmentation,
  }));

  useRecipe(recipe: Recipe): void {
    this.recipe = recipe;
    this.learningRate = recipe.learningRate;
    this.batchSize = recipe.batchSize;
    this.epochs = recipe.epochs;
    this.augmentation = recipe.augmentation;
  }

  useArchitecture(architecture: Architecture): void {
    this.#base = this.#edited = architecture;
    this.width = 1;
    this.dropout = dropoutRate(architecture);
  }

  undoChanges(): void {
    this.useArchitecture(this.#base);
  }

  remove(name: string): void {
    // With a rate above 0, the layer before the logits is the control's dropout.
    const isBeforeLogits = this.architecture.layers[logitsIndex(this.architecture) - 1]?.name === name;
    if (isBeforeLogits && this.dropout > 0) this.dropout = 0;
    const edited = withoutLayer(this.#edited, name);
    if (edited.layers.length < this.#edited.layers.length) this.#edited = edited;
  }

  insertBefore(name: string, kind: InsertableKind): void {
    const { layers } = this.#edited;
    const index = layers.findIndex((layer) => layer.name === name);
    // Only the control's dropout is missing in #edited: its place is before the logits.
    this.#edited = withInserted(this.#edited, index < 0 ? logitsIndex(this.#edited) : index, kind);
  }

  // Returns a problem if the network no longer has as many classes as the data.
  #checkClasses(table: LayerRow[]): { table: null; problem: string } | null {
    const [classes] = table[table.length - 1].outputShape;
    const expected = this.#base.layers[logitsIndex(this.#base)].units;
    if (expected === undefined || classes === expected) return null;
    return { table: null, problem: say('refused.network.classes', { numbers: classes, n: expected }) };
  }
}
