// Written by `npm run types` from payload.schema.json.

export interface Payload {
  format: 1;
  recipe: {};
  data: PageData;
  model: PageModel;
  history: HistoryRecord;
  choice: string;
  evaluation: EvaluationRecord;
  mistake_pictures: string[];
  explanation: ExplanationRecord;
  explained_picture: string;
  kernels: PackedBank[];
  feature_maps: FeatureMaps[];
  record: PageRecord;
  baseline_history: HistoryRecord | null;
  comparison: ComparisonRecord | null;
  live: Live;
  evidence: {
    [k: string]: {};
  };
}
export interface PageData {
  name: string;
  train: SplitRecord;
  test: SplitRecord;
  options: LoadOptions;
  example: Example;
  samples: ClassSamples[];
}
export interface SplitRecord {
  name: string;
  split: string;
  num_images: number;
  image_shape: [number, number, number];
  image_dtype: string;
  label_dtype: string;
  pixel_range: [number, number];
  class_names: string[];
  class_counts: number[];
  sha256: string;
  source: SourceFile[];
}
export interface SourceFile {
  name: string;
  sha256: string;
  num_damaged: number;
  damaged: string[];
}
export interface LoadOptions {
  test_fraction: number | null;
  seed: number;
  image_size: [number, number] | null;
  skip_damaged: boolean;
}
export interface Example {
  split: string;
  index: number;
  label: number;
  picture: string;
}
export interface ClassSamples {
  label: number;
  indices: number[];
  pictures: string[];
}
export interface PageModel {
  architecture: {};
  layers: LayerRecord[];
  parameters: number;
  non_trainable_parameters: number;
  macs: number;
  weights_sha256: string;
}
export interface LayerRecord {
  name: string;
  kind: string;
  from_layer: string | null;
  output_shape: number[];
  parameters: number;
  non_trainable_parameters: number;
  macs: number;
  receptive_field: [number, number];
}
export interface HistoryRecord {
  loss: number[];
  accuracy: number[];
  val_loss: number[];
  val_accuracy: number[];
  seconds: number[];
  val_split: 'test' | 'validation';
  best_epoch: number | null;
}
export interface EvaluationRecord {
  num_images: number;
  dataset: string;
  split: string;
  class_names: string[];
  loss: number;
  accuracy: number;
  accuracy_interval: [number, number];
  balanced_accuracy: number;
  balanced_accuracy_interval: [number, number];
  macro_f1: number;
  macro_f1_interval: [number, number];
  cautions: string[];
  confusion_matrix: number[][];
  classes: ClassMetrics[];
  confused_pairs: ConfusedPair[];
  num_mistakes: number;
  mistakes: Mistake[];
  num_nearly_certain?: number;
  views?: 5 | 9;
}
export interface ClassMetrics {
  class_name: string;
  support: number;
  precision: number | null;
  recall: number | null;
  recall_interval: [number, number] | null;
  f1: number | null;
}
export interface ConfusedPair {
  true: number;
  predicted: number;
  count: number;
}
export interface Mistake {
  index: number;
  true: number;
  predicted: number;
  probability: number;
  probability_of_true: number;
}
export interface ExplanationRecord {
  dataset: string;
  split: string;
  index: number;
  class_names: string[];
  label: number;
  predicted: number;
  probabilities: number[];
  layers: LayerSummary[];
  kernels: KernelBankRecord[];
}
export interface LayerSummary {
  layer: string;
  kind: string;
  shape: number[];
  minimum: number;
  maximum: number;
  mean: number;
  active_fraction: number;
  num_dead_maps: number;
}
export interface KernelBankRecord {
  layer: string;
  kind: string;
  shape: [number, number, number, number];
  limit: number;
}
export interface PackedBank {
  layer: string;
  kind: string;
  shape: [number, number, number, number];
  limit: number;
  values: Packed;
}
export interface Packed {
  dtype: 'float32' | 'int8' | 'uint16' | 'uint4' | 'uint8';
  shape: number[];
  data: string;
  scales?: number[];
}
export interface FeatureMaps {
  layer: string;
  num_maps: number;
  minimum: number;
  maximum: number;
  values: Packed;
}
export interface PageRecord {
  format: 1;
  version?: string;
  dataset: RunData;
  architecture: {};
  recipe: {};
  seed: number;
  engine: 'keras' | 'native' | 'reference';
  threads: number;
  versions: {
    [k: string]: string;
  };
  cpu: Processor;
  from?: StartRecord;
  search?: SearchRecord;
  imported?: ImportRecord;
  members?: [MemberRecord, MemberRecord, ...MemberRecord[]];
  command: string;
  job?: JobOptions;
  num_images?: number;
  weights_seed?: number;
  digest?: string;
  weights_sha256?: string;
  epochs_trained?: number;
  best_epoch?: number | null;
  timings: {
    [k: string]: number | Memory;
  };
}
export interface RunData {
  name: string;
  train: SplitRecord;
  test: SplitRecord;
  options: LoadOptions;
  argument: string;
}
export interface Processor {
  name: string;
  cores: number;
  machine: string;
  instruction_set?: string;
}
export interface StartRecord {
  argument: string;
  weights_sha256: string;
  num_seen_images: number | null;
  kept_classes: string[];
  new_classes: string[];
  new_output: boolean;
}
export interface SearchRecord {
  budget: number;
  augmentation: string;
  num_held_out: number;
  trials: TrialRecord[];
}
export interface TrialRecord {
  network: string;
  augmentation: string;
  share: number;
  epochs: number;
  num_images: number;
  loss: number | null;
  accuracy: number | null;
}
export interface ImportRecord {
  file: string;
  sha256: string;
  weights_file?: string;
  weights_file_sha256?: string;
  image_shape?: [number, number, number];
  output?: string;
  program: string;
  notes: string[];
  scaling?: ScalingRecord;
  scalings?: TriedScaling[];
}
export interface ScalingRecord {
  scale: number;
  mean: number | number[];
  std: number | number[];
  inverted: boolean;
  bgr: boolean;
}
export interface TriedScaling {
  name: string;
  scaling: ScalingRecord;
  num_images: number;
  accuracy: number;
  loss: number;
  verdict: string;
  formula: string;
}
export interface MemberRecord {
  run: string;
  weights_sha256: string;
  architecture: {};
  recipe: {};
  seed: number;
  seconds: number | null;
  is_from_random_weights: boolean;
}
export interface JobOptions {
  baseline: boolean;
  seeds: number | null;
  index: number;
}
export interface Memory {
  peak_memory_bytes: number | null;
  data_bytes: number;
  training_bytes: number | null;
}
export interface ComparisonRecord {
  dataset: string;
  split: string;
  num_images: number;
  names: [string, string];
  a: CandidateRecord;
  b: CandidateRecord;
  accuracy_difference: number;
  accuracy_difference_interval: [number, number];
  error_ratio: number | null;
  error_ratio_interval: [number | null, number | null];
  both_correct: number | null;
  only_a_correct: number | null;
  only_b_correct: number | null;
  both_wrong: number | null;
  p_value: number;
  verdict: string;
  sentence: string;
}
export interface CandidateRecord {
  name: string;
  accuracy: number;
  accuracy_interval: [number, number];
  num_errors: number;
  parameters: number;
  macs: number;
  weights_bytes: number;
  training_seconds: number | null;
  latency_seconds: number | null;
  latency_1000_seconds: number | null;
}
export interface Live {
  models: LiveModel[];
  images: LiveImages;
  parity: Parity;
  training: TrainingImages;
  handwriting: Handwriting;
  map?: LiveMap;
}
export interface LiveModel {
  name: string;
  architecture: {};
  weights: {
    [k: string]: Packed;
  };
  means: {
    [k: string]: Packed;
  };
  snapshots: Snapshot[];
  rounding: Rounding | null;
}
export interface Snapshot {
  epoch: number;
  step: number | null;
  loss: number | null;
  accuracy: number | null;
  num_images: number;
  weights: {
    [k: string]: Packed;
  };
}
export interface Rounding {
  bits: 6 | 8;
  num_changed: number;
  num_images: number;
}
export interface LiveImages {
  split: string;
  indices: Packed;
  labels: Packed;
  pixels: Packed;
  num_sample: number;
  num_mistakes: number;
}
export interface Parity {
  logits: Packed;
}
export interface TrainingImages {
  labels: Packed;
  pixels: Packed;
  of: number;
}
export interface Handwriting {
  ink: 'dark' | 'light';
  target: number;
  threshold: number;
  centre: boolean;
}
export interface LiveMap {
  layer: string;
  num_neighbours: number;
  indices: Packed;
  labels: Packed;
  points: Packed;
  directions: Packed;
  offset: number[];
}
export interface Playground {
  format: 1;
  untrained: boolean;
  record: {
    [k: string]: string;
  };
  recipe: {};
  data: SplitsRecord;
  model: PageModel;
  history: HistoryRecord;
  baseline_history: null;
  evaluation: Unmeasured;
  comparison: null;
  live: Live;
}
export interface SplitsRecord {
  name: string;
  train: SplitRecord;
  test: SplitRecord;
  options: LoadOptions;
}
export interface Unmeasured {
  split: string;
  num_images: number;
  class_names: string[];
}
