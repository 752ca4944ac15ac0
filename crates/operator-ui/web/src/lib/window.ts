// Which rows of a long list are in view. Every row has the same height, so that nothing has to be measured.

export interface Span {
  /** First row to draw. */
  from: number;
  /** One past the last row to draw. */
  to: number;
}

export function visible(scrollTop: number, height: number, row: number, count: number, spare = 8): Span {
  const from = Math.max(0, Math.floor(scrollTop / row) - spare);
  const to = Math.min(count, Math.ceil((scrollTop + height) / row) + spare);
  return { from: Math.min(from, count), to };
}

/** Where to scroll so that row `index` is wholly in view, moving as little as possible. */
export function reveal(scrollTop: number, height: number, row: number, index: number): number {
  const top = index * row;
  if (top < scrollTop) return top;
  if (top + row > scrollTop + height) return top + row - height;
  return scrollTop;
}
