// Makes the reports once for all browser tests, with the convscope of the repository's environment.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { TestProject } from 'vitest/node';
import type { Payload } from '../../src/payload/types';
import { unpackBytes } from '../../src/payload/unpack';

const ROOT = resolve(import.meta.dirname, '../../..');
export const PYTHON = process.env.CONVSCOPE_PYTHON ?? join(ROOT, '.venv/bin/python');

export type ReportName =
  | 'mnist'
  | 'fashion'
  | 'letters'
  | 'wide'
  | 'hostile'
  | 'residual'
  | 'inception'
  | 'colour'
  | 'ann'
  | 'playground'
  | 'prediction'
  | 'experiment'
  | 'labelling';

declare module 'vitest' {
  export interface ProvidedContext {
    reports: string;
  }
}

// What Python computes with a report's model for the first test images, to compare with what the page shows.
export interface Expected {
  class_names: string[];
  logits: number[][];
  photo: { hints: string[]; stages: Record<string, [number, number]>; logits: number[] } | null; // of photo.png, where there is one
  snapshots: { step: number; accuracy: number; logits: number[] }[]; // after the first steps of a run
  ablations: Record<string, number[]>; // by "layer/filter": logits of the first image without it
}

export function photoPath(folder: string): string {
  return join(folder, 'mnist', 'photo.png');
}

export function pagePath(folder: string, name: ReportName): string {
  return join(folder, name, 'report.html');
}

// Lists those of the reports that exist. Fashion-MNIST's does where Debian's package dataset-fashion-mnist is installed.
export function existingReports(folder: string, names: ReportName[]): ReportName[] {
  return names.filter((name) => existsSync(pagePath(folder, name)));
}

export function expectedOf(folder: string, name: ReportName): Expected {
  return JSON.parse(readFileSync(join(folder, name, 'expected.json'), 'utf8')) as Expected;
}

// Reads the bytes of the first test images in a page.
export async function firstImages(path: string, count: number): Promise<Uint8Array> {
  const [, json] = /<script type="application\/json" id="payload">(.*?)<\/script>/s.exec(readFileSync(path, 'utf8'))!;
  const { pixels } = (JSON.parse(json) as Payload).live.images;
  return (await unpackBytes(pixels)).slice(0, count * pixels.shape.slice(1).reduce((size, n) => size * n));
}

// CONVSCOPE_REPORTS names a folder of reports that exist already, which saves the time to make them.
export default function setup(project: TestProject): (() => void) | undefined {
  const earlier = process.env.CONVSCOPE_REPORTS;
  if (earlier !== undefined) {
    project.provide('reports', earlier);
    return undefined;
  }
  const folder = mkdtempSync(join(tmpdir(), 'convscope-reports-'));
  execFileSync(PYTHON, [join(import.meta.dirname, 'make_reports.py'), folder], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (existingReports(folder, ['fashion']).length === 0) {
    if (process.env.CI === 'true') throw new Error('continuous integration needs the package dataset-fashion-mnist');
    console.warn('Fashion-MNIST is left out: the package dataset-fashion-mnist is not installed');
  }
  project.provide('reports', folder);
  return () => rmSync(folder, { recursive: true, force: true });
}
