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
import { chooseMistake, fillsPad, findMistake, lookedInLogits } from './subject';

const SURE_OF_NOTHING = 0.5; // probability of a class for a drawing that is none of them
const EVEN = 0.05; // difference of probabilities up to which they count as equal

export function softmax(bench: Bench): Script {
  const { table } = bench.models[0];
  const last = logitsRow(table);
  const names = bench.classNames;
  const start = bench.source;
  const share = percent(1 / names.length);
  const now = () => ({
    name: names[bench.prediction],
    probability: confidence(bench.forward.probabilities[bench.prediction]),
    logit: number(bench.forward.logits[bench.prediction], 1),
    isSure: bench.forward.probabilities[bench.prediction] >= SURE_OF_NOTHING,
    isEven: Math.max(...bench.forward.probabilities) - Math.min(...bench.forward.probabilities) < EVEN,
  });
  // A drawing over the whole pad is none of the classes, whatever they are.
  const isDrawn = () => bench.source.kind === 'drawing' && bench.source !== start && fillsPad(bench.source.strokes);
  let drawn = now(); // the last prediction for the reader's drawing, which may go on during later tasks
  const followDrawing = () => {
    if (isDrawn()) drawn = now();
    return isDrawn();
  };
  const outputs = table.slice(last.index).map(({ layer }) => column(layer.name)); // the logits and a softmax after them
  return {
    values: () => ({ n: names.length, share, layer: layerTitle(table, last.layer.name) }),
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
    correct: () => (drawn.isEven ? 'equal' : 'one'),
    found: () => {
      const { name: image, probability: sure } = now();
      const { name, probability, logit, isSure } = drawn;
      const values = { name, probability, logit, image, sure, share, n: names.length };
      return { texts: [isSure ? 'found_sure' : 'found'], values };
    },
  };
}

// True if the page has the untrained network, epoch 0, on which the step is taken, and the trained one to compare with.
export const replaysTraining = ({ models, payload }: Bench) =>
  models[0].checkpoints.some(({ epoch }) => epoch === 0) && !payload.untrained;

export function training(bench: Bench): Script {
  const [model] = bench.models;
  const before = bench.lastResults.step; // a step that the reader took before the lesson does not count
  const replays = replaysTraining(bench);
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
      if (result === null || result === before || !result.isWhole || (replays && bench.epoch !== 0)) return false;
      // The lesson says that the weights moved against the gradient, and that the probability changed.
      return result.isAgainst && confidence(result.before) !== confidence(result.after);
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
      if (!replays) return { texts: ['found_step'], values };
      const { best_epoch: best, loss } = bench.payload.history;
      const n = best ?? loss.length;
      return { texts: ['found'], values: { ...values, n, trained: trainedProbability() } };
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
    values: () => ({ images, epochs: memorising.epochs, n: FEW_IMAGES }), // n: in the buttons' names
    answers: ['same', 'worse', 'better'],
    tasks: [
      { id: 'few', at: button('few'), isDone: () => (plain = doneTraining(false)) !== null },
      { id: 'augmented', at: button('augmented'), isDone: () => (augmented = doneTraining(true)) !== null },
    ],
    correct: () => (Math.abs(plain!.gap) <= SMALL ? 'same' : plain!.gap > 0 ? 'worse' : 'better'),
    found: () => ({
      texts: [plain!.gap > SMALL ? 'found' : 'found_small'],
      values: {
        images,
        train: percent(plain!.train),
        test: percent(plain!.test),
        gap: number(100 * plain!.gap, 1),
        less: number(100 * augmented!.gap, 1),
        better: percent(augmented!.test),
      },
    }),
  };
}

const CONFIDENT = 0.9;

export function fails(bench: Bench): Script {
  const [LITTLE, MUCH] = [0.05, 0.25]; // mean changes that bound the answers, as shares of the range of a pixel
  const names = bench.classNames;
  const { images } = bench;
  const before = bench.lastResults.change;
  let change = before;
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
    at: '[data-show]',
    isDone: () => {
      const [{ source }, mistake] = [bench, findMistake(bench)];
      return mistake === null || (source.kind === 'image' && source.position === mistake.position);
    },
    show: () => chooseMistake(bench),
  };
  const share = () => change!.mean / 255;
  return {
    values: () => ({ name: names[bench.prediction] }),
    answers: ['little', 'some', 'much'],
    tasks: [fool, wrong],
    correct: () => (!change!.isFound || share() > MUCH ? 'much' : share() < LITTLE ? 'little' : 'some'),
    found: () => {
      const { from, wanted, isFound, mean: grey } = change!;
      const text = isFound ? 'found' : 'found_none';
      const values = { from: names[from], to: names[wanted], mean: number(grey, 1), share: percent(share()) };
      const surest = findMistake(bench);
      if (surest === null) return { texts: [text, 'mistake_none'], values: { ...values, n: images.count } };
      const { position, confidence: sure, lessConfident, correct } = surest;
      const isSure = sure >= CONFIDENT;
      return {
        texts: [text, isSure ? 'mistake_sure' : lessConfident > 0 ? 'mistake_unsure' : 'mistake_apart'],
        values: {
          ...values,
          index: String(images.indices[position]),
          label: names[images.labels[position]],
          answer: names[bench.prediction],
          probability: confidence(sure),
          n: lessConfident,
          correct,
        },
      };
    },
  };
}
