// Architectures and settings as rows of numbers. Which numbers stand where, the engine says itself: see native/page.cpp.
import type { Arrays, Exports } from './memory';
import type { Architecture, LayerRow, LayerSpec, Optimizer, Shape, TrainingSteps } from './types';

type FieldValue = number | boolean | string | readonly number[] | undefined;

interface Field {
  name: string;
  size: number;
  choices: string[] | null; // of one that is chosen by its name
}

// The fields of one struct as the engine tells them: "name *size" or "name =choice|choice|".
export class Fields {
  readonly fields: Field[];

  constructor(exports: Exports, text: number) {
    const bytes = new Uint8Array(exports.memory.buffer, text);
    const told = new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
    this.fields = Array.from(told.matchAll(/(\w+) ([*=])(\S+)/g), ([, name, sign, rest]) =>
      sign === '*'
        ? { name, size: Number(rest), choices: null }
        : { name, size: 1, choices: rest.split('|').slice(0, -1) },
    );
  }

  // The values in the engine's order. One that is left out keeps the engine's default.
  row(values: Record<string, FieldValue>): number[] {
    const unknown = Object.keys(values).find((name) => !this.fields.some((field) => field.name === name));
    if (unknown !== undefined) throw new Error(`The engine has no field ${unknown}.`);
    return this.fields.flatMap((field) => numbersOf(field, values[field.name]));
  }
}

function numbersOf({ name, size, choices }: Field, value: FieldValue): number[] {
  if (value === undefined) return Array<number>(size).fill(NaN);
  if (choices !== null) {
    const index = choices.indexOf(String(value));
    if (index < 0) throw new Error(`The engine has no ${name} ${value}; it has ${choices.join(', ')}.`);
    return [index];
  }
  const numbers = Array.isArray(value) ? (value as number[]) : [Number(value)];
  if (numbers.length !== size) throw new Error(`The engine's ${name} takes ${size} numbers, not ${numbers.length}.`);
  return numbers;
}

const asMap = (shape: Shape): number[] => [...[1, 1].slice(0, 3 - shape.length), ...shape];

// The arguments of a layer that the engine has by the same name and in the same form; its strides and padding are those of
// the window.
function argumentsOf(layer: LayerSpec, { fields }: Fields): Record<string, FieldValue> {
  const isOwn = ([name]: [string, unknown]) => fields.some((field) => field.name === name);
  return Object.fromEntries(Object.entries(layer).filter(isOwn));
}

export function plainInput(exports: Exports, { input }: Architecture): Float64Array {
  const { height, width, channels, scale, offset } = input;
  const fields = new Fields(exports, exports.input_fields());
  return Float64Array.from(fields.row({ shape: [height, width, channels], scale, offset }));
}

export function plainLayers(exports: Exports, table: LayerRow[]): Float64Array {
  const fields = new Fields(exports, exports.layer_fields());
  const numbers = new Map(table.map((row) => [row.layer.name, row.index]));
  return Float64Array.from(
    table.flatMap(({ layer, inputShape, outputShape, window }) =>
      fields.row({
        ...argumentsOf(layer, fields),
        input: asMap(inputShape),
        output: asMap(outputShape),
        window: window?.size,
        strides: window?.strides,
        padding: window?.padding,
        dropped: Math.floor((layer.rate ?? 0) * 2 ** 24), // of 2^24 numbers
        earlier: layer.from_layer === undefined ? undefined : (numbers.get(layer.from_layer) ?? -1),
      }),
    ),
  );
}

// Of a batch whose gradient is asked for, there is no optimizer.
export function plainSettings(arrays: Arrays, steps: Partial<TrainingSteps>): Float64Array {
  const { exports } = arrays;
  const fields = new Fields(exports, exports.settings_fields());
  const { learning_rate: _, ...optimizer }: Partial<Optimizer> = steps.optimizer ?? {}; // each step has its own
  const { classWeights } = steps;
  return Float64Array.from(
    fields.row({
      ...optimizer,
      label_smoothing: steps.labelSmoothing,
      class_weights: classWeights && [arrays.place(Float32Array.from(classWeights)), classWeights.length],
      clip_norm: steps.clipNorm,
      ...steps.augmentation,
      key: steps.key,
    }),
  );
}
