// Trains a network on the reader's own classes in a worker, and puts it on the bench when it is done:
// train() → a session in the worker → its state 'done' → #finish(), which makes a page of the network → the bench.
// stop() drops the session. A #finish() that still waits then sees that its session is not the current one, and ends.
import { untrack } from 'svelte';
import { inSlices } from '../../analysis/slices';
import type { Architecture } from '../../engine/types';
import type { Bench } from '../../state/bench.svelte';
import { classesPayload } from '../../state/made_page';
import { load } from '../../state/models';
import type { OwnClasses } from '../../state/own_classes.svelte';
import { errorTextOf, type ErrorText } from '../../text/error';
import {
  splitExamples,
  recipeFor,
  startWeights,
  withClasses,
  type OwnClass,
  type Split,
  type Start,
} from '../../training/own_classes';
import type { Recipe } from '../../training/recipe';
import { TrainingSession } from '../../training/session.svelte';
import { measureMeans } from '../training/means';

const SEED = 0; // of the first weights and of the order of the examples
const MAX_AVERAGED = 300; // examples over which each filter's mean output is computed, for ablations

// What is trained now; the reader can change the classes meanwhile.
interface TrainingRequest {
  classes: readonly OwnClass[];
  split: Split;
  architecture: Architecture;
  recipe: Recipe;
  start: Start;
}

export class OwnTraining {
  start = $state<Start>('scratch'); // random weights: with ten examples as good as trained filters, and quicker
  session = $state.raw<TrainingSession | null>(null); // null unless it trains
  problem = $state.raw<ErrorText | string>(''); // why the training failed; empty if it did not
  readonly hasFilters: boolean; // the page's network was trained, so its filters can be used

  #request: TrainingRequest | null = null;

  constructor(
    readonly bench: Bench,
    readonly own: OwnClasses,
  ) {
    this.hasFilters = bench.page.payload.untrained !== true;
    $effect(() => {
      if (this.session?.state === 'done') untrack(() => void this.#finish()); // it follows nothing but the state
    });
  }

  readonly share = $derived.by(() => {
    const progress = this.session?.progress ?? null;
    return progress === null ? 0 : progress.step / progress.steps; // from 0 to 1
  });

  train(): void {
    this.stop();
    const { bench, own, start } = this;
    const [page] = bench.page.models; // the run's model: its architecture, and its filters if chosen
    this.problem = '';
    try {
      const { classes } = own;
      const split = splitExamples(classes);
      const architecture = withClasses(page.architecture, classes.length);
      const recipe = recipeFor(bench.images.shape, split.train.labels.length);
      const weights = startWeights(architecture, SEED, start === 'filters' ? page : null);
      const { train, heldOut: sample } = split; // the session measures accuracy on its sample
      this.#request = { classes, split, architecture, recipe, start };
      this.session = new TrainingSession({ engine: bench.engine.bytes, train, sample, classes: classes.length });
      this.session.start(architecture, weights, recipe, SEED);
    } catch (error) {
      this.problem = errorTextOf(error);
    }
  }

  stop(): void {
    this.session?.close();
    this.session = null;
    this.#request = null;
  }

  // Turns the trained network into a model of the page, which takes a while, and puts it on the bench.
  async #finish(): Promise<void> {
    const { bench, own, session } = this;
    const request = this.#request;
    if (session === null || request === null) return;
    const { weights, message, sample, progress } = session;
    if (message !== '' || weights === null || progress === null) {
      this.stop();
      this.problem = message;
      return;
    }
    const { classes, split, architecture, recipe, start } = request;
    try {
      const examples = classes.flatMap(({ examples }) => examples);
      const stride = Math.ceil(examples.length / MAX_AVERAGED); // 1 for up to MAX_AVERAGED, 2 for up to twice as many
      const averaged = examples.filter((_, i) => i % stride === 0);
      const measuring = measureMeans(bench.engine, architecture, weights, averaged);
      const { means } = await inSlices(measuring, new AbortController().signal); // which nobody aborts
      const names = classes.map(({ name }) => name);
      const network = { architecture, weights, means, recipe };
      const payload = await classesPayload(bench.page.payload, network, recipe.epochs, names, split);
      const subject = { payload, ...(await load(payload)) };
      if (this.session !== session) return; // another training was started in the meantime
      own.network = {
        ...network,
        classes,
        start,
        seed: SEED,
        numTrain: split.train.labels.length,
        seconds: progress.seconds,
        heldOut: split.heldOut.labels.length > 0 ? sample : null,
        subject,
      };
      this.stop();
      bench.use(subject);
    } catch (error) {
      if (this.session !== session) return;
      this.stop();
      this.problem = errorTextOf(error);
    }
  }
}
