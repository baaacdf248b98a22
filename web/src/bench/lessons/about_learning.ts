// The lessons about predictions and learning: softmax, training, overfitting, and failures. Each function makes the
// script of a lesson for the network of the page, or null if the network lacks its subject. Tools note in
// `bench.lastResults` what the reader did with them; a lesson counts only results that are newer than its beginning.
import { logitsRow } from '../../engine/architecture';
import type { Bench } from '../../state/bench.svelte';
import { number } from '../../text/say.svelte';
import { FEW_IMAGES } from '../../training/experiments';
import { memorising } from '../../training/recipe';
import { confidence, percent } from '../parts/figures';
import { layerTitle } from '../parts/headings';
import { column, tab, type Script, type Task } from './lesson';
import { lookedInLogits } from './subject';

export function softmax(bench: Bench): Script {
  const { table } = bench.models[0];
  const last = logitsRow(table);
  const names = bench.classNames;
  const start = bench.source;
  const now = () => ({
    name: names[bench.prediction],
    probability: confidence(bench.forward.probabilities[bench.prediction]),
    logit: number(bench.forward.logits[bench.prediction], 1),
  });
  const isDrawn = () => bench.source.kind === 'drawing' && !bench.isEmpty && bench.source !== start;
  let drawn = now(); // the last prediction for the reader's drawing, which may go on during later tasks
  const followDrawing = () => {
    if (isDrawn()) drawn = now();
    return isDrawn();
  };
  const outputs = table.slice(last.index).map(({ layer }) => column(layer.name)); // the logits and a softmax after them
  return {
    values: () => ({ n: names.length, share: percent(1 / names.length), layer: layerTitle(table, last.layer.name) }),
    answers: ['none', 'one', 'equal'],
    tasks: [
      { id: 'draw', at: '.pad .paper', isDone: followDrawing },
      {
        id: 'output',
        at: outputs.join(', '),
        isDone: () => {
          followDrawing();
          return lookedInLogits(bench) !== null;
        },
      },
      {
        id: 'image',
        at: '.pad .examples',
        isDone: () => {
          followDrawing();
          return bench.source.kind === 'image';
        },
      },
    ],
    correct: () => 'one',
    found: () => {
      const image = now();
      return { text: 'found', values: { ...drawn, image: image.name, sure: image.probability, n: names.length } };
    },
  };
}

export function training(bench: Bench): Script {
  const [model] = bench.models;
  const before = bench.lastResults.step; // a step that the reader took before the lesson does not count
  // The step is taken on the untrained network, epoch 0, and then compared with the trained one, if the page has both.
  const replays = model.checkpoints.some(({ epoch }) => epoch === 0) && !bench.payload.untrained;
  const className = () => bench.classNames[bench.label ?? bench.prediction];
  // Predicts the image of the step with the trained model, for comparison.
  const trainedProbability = (): string => {
    const { pixels, label } = bench.lastResults.step!;
    return confidence(bench.network(model, model.weights, []).forward(pixels).probabilities[label]);
  };
  const step: Task = {
    id: 'step',
    at: `${tab('step')}, [data-step-whole]`,
    isDone: () => {
      const { step: result } = bench.lastResults;
      return result !== null && result !== before && result.isWhole && (!replays || bench.epoch === 0);
    },
  };
  const toEnd: Task = { id: 'trained', at: '.epochs .track', isDone: () => bench.epoch === null };
  return {
    values: () => ({ name: className() }),
    answers: ['falls', 'rises', 'stays'],
    tasks: replays ? [{ id: 'untrained', at: '.epochs .track', isDone: () => bench.epoch === 0 }, step, toEnd] : [step],
    correct: () => {
      const { before, after } = bench.lastResults.step!;
      return after > before ? 'rises' : after < before ? 'falls' : 'stays';
    },
    found: () => {
      const shown = bench.lastResults.step!;
      const values = {
        name: bench.classNames[shown.label],
        before: confidence(shown.before),
        after: confidence(shown.after),
        loss: number(shown.loss[0], 2),
        less: number(shown.loss[1], 2),
      };
      if (!replays) return { text: 'found_step', values };
      const { best_epoch: best, loss } = bench.payload.history;
      const n = best ?? loss.length;
      return { text: 'found', values: { ...values, n, trained: trainedProbability() } };
    },
  };
}

export function overfitting(bench: Bench): Script | null {
  const images = Math.min(FEW_IMAGES, bench.payload.live.training.labels.shape[0]);
  if (images === 0) return null;
  const start = bench.lastResults.training;
  const button = (experiment: string) => `${tab('train')}, [data-experiment="${experiment}"]`;
  const SMALL = 0.05; // up to this gap, the accuracies count as equal
  // Returns the last training if it is the experiment that the task asks for, done since the lesson began.
  const doneTraining = (isAugmented: boolean) => {
    const { training: result } = bench.lastResults;
    const isAsked =
      result !== null &&
      result !== start &&
      result.isDone &&
      result.images === images &&
      result.wrongLabels === 0 &&
      result.isAugmented === isAugmented;
    return isAsked ? result : null;
  };
  let [plain, augmented] = [start, start]; // the trainings of the two tasks
  return {
    values: () => ({ n: images, epochs: memorising.epochs, button: FEW_IMAGES }),
    answers: ['same', 'worse', 'better'],
    tasks: [
      { id: 'few', at: button('few'), isDone: () => (plain = doneTraining(false)) !== null },
      { id: 'augmented', at: button('augmented'), isDone: () => (augmented = doneTraining(true)) !== null },
    ],
    correct: () => (Math.abs(plain!.gap) <= SMALL ? 'same' : plain!.gap > 0 ? 'worse' : 'better'),
    found: () => ({
      text: plain!.gap > SMALL ? 'found' : 'found_small',
      values: {
        n: images,
        train: percent(plain!.train),
        test: percent(plain!.test),
        gap: number(100 * plain!.gap, 1),
        less: number(100 * augmented!.gap, 1),
        better: percent(augmented!.test),
      },
    }),
  };
}

export function fails(bench: Bench): Script {
  const [LITTLE, MUCH] = [0.05, 0.25]; // mean changes that bound the answers, as shares of the range of a pixel
  const names = bench.classNames;
  const { evaluation, untrained } = bench.payload;
  const hasMistakes = untrained || bench.images.numMistakes > 0;
  const before = bench.lastResults.change;
  let change = before;
  let mistake = { label: '', answer: '', probability: '' };
  // The reader moves the slider back until the image has its first prediction again, if a change was found at all.
  const fool: Task = {
    id: 'fool',
    at: `${tab('why')}, .fool [data-epsilon]`,
    isDone: () => {
      ({ change } = bench.lastResults);
      if (change === null || change === before) return false;
      return !change.isFound || (change.share < 1 && change.prediction === change.from);
    },
  };
  const wrong: Task = {
    id: 'mistake',
    at: '.examples .all, .picker .filters',
    isDone: () => {
      const { label, prediction } = bench;
      if (label === null || label === prediction) return false;
      const probability = confidence(bench.forward.probabilities[prediction]);
      mistake = { label: names[label], answer: names[prediction], probability };
      return true;
    },
  };
  const share = () => change!.mean / 255;
  return {
    values: () => ({ name: names[bench.prediction] }),
    answers: ['little', 'some', 'much'],
    tasks: hasMistakes ? [fool, wrong] : [fool],
    correct: () => (!change!.isFound || share() > MUCH ? 'much' : share() < LITTLE ? 'little' : 'some'),
    found: () => {
      const { from, wanted, isFound, mean: grey } = change!;
      const values = {
        from: names[from],
        to: names[wanted],
        mean: number(grey, 1),
        share: percent(share()),
        ...mistake,
        mistakes: Number(evaluation.num_mistakes ?? 0),
        images: evaluation.num_images,
      };
      if (!isFound) return { text: 'found_none', values };
      return { text: !hasMistakes ? 'found_change' : untrained ? 'found_untrained' : 'found', values };
    },
  };
}
