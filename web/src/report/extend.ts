// Adds to the report: links to the bench, and its numbers and drawings as files. Without scripts the report lacks only these.
import { mount } from 'svelte';
import { layerTitle } from '../bench/parts/headings';
import type { Bench } from '../state/bench.svelte';
import { say } from '../text/say.svelte';
import { rowsOfTable, type Value } from '../ui/download';
import Downloads from '../ui/Downloads.svelte';
import { holdMap, wrapInButton, putImage, restoreScrollOnBack } from './bench_link';
import { followSections } from './contents';
import { followLanguage } from './language.svelte';
import './extend.css';
import { extendMatrix } from './matrix';
import { keepTheme } from './theme';

function elementsMatching(selector: string, within: ParentNode = document): HTMLElement[] {
  return [...within.querySelectorAll<HTMLElement>(selector)];
}

function positionOf(bench: Bench, image: HTMLElement): number {
  const { split, index } = image.dataset;
  return split === bench.images.split ? bench.images.find(Number(index)) : -1;
}

function extendImages(bench: Bench): void {
  for (const image of elementsMatching('img[data-index]')) {
    const position = positionOf(bench, image);
    if (position < 0) continue;
    wrapInButton(
      image,
      () => say('report_tools.load'),
      () => putImage(bench, position),
    );
  }
}

// Makes kernels and feature maps hold their map on the bench, together with the image of the feature maps.
function extendLayers(bench: Bench): void {
  for (const figure of elementsMatching('figure[data-layer]')) {
    const layer = figure.dataset.layer ?? '';
    const section = figure.closest('section');
    const image = section?.querySelector<HTMLElement>('img[data-index]');
    const position = image ? positionOf(bench, image) : -1;
    const hold = (map: number) => {
      if (!bench.isOnPage) bench.showTrained();
      if (position >= 0) bench.choose(position);
      holdMap(bench, layer, map);
    };
    for (const picture of elementsMatching('[data-filter] > img, .scroll > img', figure)) {
      wrapInButton(
        picture,
        () => say('report_tools.selectMap', { layer: layerTitle(bench.models[0].table, layer) }),
        () => hold(Number(picture.closest<HTMLElement>('[data-filter]')?.dataset.filter ?? 0)),
      );
    }
  }
}

function reportFile(bench: Bench, what: string): string {
  const { data, model } = bench.page.payload;
  return `${data.name}-${model.architecture.name}-${what}`.replace(/[^\p{L}\p{N}._-]+/gu, '-');
}

function rowsOf(figure: HTMLElement): Value[][] {
  const tables = [...figure.querySelectorAll('table')].map(rowsOfTable);
  return tables.flatMap((rows, i) => (i === 0 ? rows : [[], ...rows]));
}

function extendCharts(bench: Bench): void {
  for (const figure of elementsMatching('figure[data-chart]')) {
    const drawing = figure.querySelector('svg');
    const table = figure.querySelector('table');
    const target = document.createElement('div');
    target.className = 'report-part';
    figure.append(target);
    const props = {
      name: reportFile(bench, figure.dataset.chart ?? 'chart'),
      rows: table === null ? undefined : () => rowsOf(figure),
      svg: drawing === null ? undefined : () => drawing,
    };
    mount(Downloads, { target, props });
  }
}

export function extendReport(bench: Bench): void {
  followLanguage();
  keepTheme();
  extendMatrix(bench);
  extendCharts(bench);
  extendLayers(bench);
  extendImages(bench);
  followSections();
  restoreScrollOnBack();
}
