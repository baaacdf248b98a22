// Describes in a few sentences what a layer computes.
import { mapsRead } from '../../engine/layers';
import { ACTIVATIONS, type Activation, termOf } from '../../engine/activations';
import type { Input, LayerRow } from '../../engine/types';
import type en from 'catalogues/en.json';
import { say, sentences } from '../../text/say.svelte';
import { functionName, sizeText } from '../parts/headings';
import { showsLogits } from '../parts/outputs';
import { numberText } from '../parts/words';

type Plain = keyof typeof en.report.layer & keyof typeof en.lens.what;

// Explains a layer; `row` is null for the image. The first layer reads the image instead of maps.
export function explanationOf(row: LayerRow | null, isFirst: boolean, input: Input): string {
  if (row === null) return sentences([say('lens.what.Input'), readText(input)]);
  const { layer, window, inputShape } = row;
  const size = window === null ? '' : sizeText(window.size);
  const activation = layer.activation ?? 'linear';
  const activated = activation === 'linear' ? [] : functionTexts(activation);
  const atEveryPlace = [say('lens.what.place'), ...activated];
  // The number that the sentence names: maps that a filter of a convolution reads, inputs of a dense layer.
  const n = layer.kind === 'Conv2D' ? mapsRead(layer, inputShape, 0).count : inputShape.at(-1)!;
  switch (layer.kind) {
    case 'Conv2D': {
      const overOne = isFirst ? 'lens.what.slideImage' : 'lens.what.slideMap';
      const overSeveral = isFirst ? 'lens.what.slideImages' : 'lens.what.slideMaps';
      const slide = say(n === 1 ? overOne : overSeveral, { n, size });
      const groups = layer.groups ?? 1;
      const byGroup = groups > 1 ? [say('lens.what.groups', { groups, maps: inputShape[2] })] : [];
      return sentences([slide, ...byGroup, ...dilationText(row), ...atEveryPlace, say('lens.what.oneCell')]);
    }
    case 'DepthwiseConv2D':
      return sentences([say('lens.what.slideOne', { size }), ...dilationText(row), ...atEveryPlace]);
    case 'Dense':
      return showsLogits(row)
        ? say('lens.what.logits', { n })
        : sentences([say('lens.what.dense', { n }), ...activated, say('lens.what.order')]);
    case 'Activation':
      return sentences(functionTexts(activation));
    default:
      return say(`lens.what.${layer.kind as Plain}`, { size });
  }
}

function functionTexts(activation: Activation): string[] {
  const term = termOf(activation);
  const meaning = term === null ? `y = ${ACTIVATIONS[activation].formula}` : say(`terms.${term}.meaning`);
  return [say('lens.what.applied', { function: functionName(activation) }), meaning];
}

function dilationText({ layer: { dilation_rate: dilation = [1, 1] } }: LayerRow): string[] {
  return Math.max(...dilation) > 1 ? [say('lens.what.dilation', { size: sizeText(dilation) })] : [];
}

// Says how the network scales a byte of the image. A scale such as 1 / 255 is written as a division by 255.
function readText({ scale, offset }: Input): string {
  const divisor = Math.round(1 / scale);
  const isDivided = Math.abs(divisor * scale - 1) < 1e-6;
  const values = { divisor: String(divisor), scale: numberText(scale), offset: numberText(offset) };
  if (scale === 1) return say(offset === 0 ? 'lens.what.read.asItIs' : 'lens.what.read.plus', values);
  if (offset === 0) return say(isDivided ? 'lens.what.read.divided' : 'lens.what.read.times', values);
  return say(isDivided ? 'lens.what.read.dividedPlus' : 'lens.what.read.timesPlus', values);
}
