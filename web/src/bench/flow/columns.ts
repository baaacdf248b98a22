// The layers as columns of the flow.
import type { Lesion } from '../../analysis/lesions';
import type { LayerRow } from '../../engine/types';
import { activationText, kindText, parametersText, shapeText } from '../parts/words';

export interface Column {
  row: LayerRow;
  facts: string[];
  folds: boolean; // it changes no number, so a thin bracket stands for it until it is opened
  folded: boolean;
  parts: string[]; // that lesions took away
}

export function columnsOf(table: LayerRow[], lesions: Lesion[], opened: string[], looked: string): Column[] {
  return table.map((row) => {
    const { kind, name } = row.layer;
    const folds = kind === 'Flatten' || kind === 'Dropout';
    return {
      row,
      facts: [kindText(row), shapeText(row.outputShape), activationText(row), folds ? '' : parametersText(row)].filter(
        Boolean,
      ),
      folds,
      folded: folds && !opened.includes(name) && looked !== name,
      parts: lesions.flatMap((lesion) => (lesion.part !== 'filter' && lesion.layer === name ? [lesion.part] : [])),
    };
  });
}
