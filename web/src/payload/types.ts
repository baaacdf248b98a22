// The payload of the page: the document that `convscope report RUN --payload` prints, typed by its schema. A page that another
// page saved, and a page without a run, lack what was not measured.
import type { Architecture, WrittenRecipe } from '../engine/types';
import type * as written from './generated';

export type { HistoryRecord as History, LiveImages, LiveMap, Packed as Block, Snapshot } from './generated';

export type LiveModel = Omit<written.LiveModel, 'architecture'> & { architecture: Architecture };

export type Live = Omit<written.Live, 'models'> & { models: LiveModel[] };

type Measured = 'split' | 'num_images' | 'class_names' | 'confusion_matrix';
export type Evaluation = Pick<written.EvaluationRecord, Measured> & Partial<written.EvaluationRecord>;

// The network of a page that another page saved.
export interface Made {
  from: 'classes' | 'data'; // trained on examples of the reader's own classes, or on the data set of the other page
  epoch: number; // number of trained epochs
}

export type SplitCard = Pick<written.SplitRecord, 'num_images' | 'image_shape' | 'class_names'>;

export interface Payload extends Pick<written.Payload, 'format' | 'history' | 'baseline_history' | 'comparison'> {
  record: Partial<written.PageRecord>;
  recipe: WrittenRecipe;
  data: { name: string; train: SplitCard; test: SplitCard };
  model: Partial<written.PageModel> & { architecture: Architecture; parameters: number; macs: number };
  evaluation: Evaluation;
  live: Live;
  untrained?: boolean; // a page without a run: nothing was trained or measured
  made?: Made;
}
