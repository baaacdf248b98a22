// The instruments, as a link names them.

export const TABS = ['how', 'filter', 'ablations', 'why', 'models', 'train', 'step', 'yours', 'time'] as const;
export type Tab = (typeof TABS)[number];
