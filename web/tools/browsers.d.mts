import type { Browser } from 'puppeteer-core';

export type BrowserName = 'chromium' | 'firefox';
export const BROWSERS: BrowserName[];
export function executable(name: BrowserName): string | null;
export function launch(name: BrowserName, preferences?: Record<string, number>): Promise<Browser>;
