import type { TicketRow } from "../api/types";

/**
 * A list after its first page was asked for again: the new page, then the rows further down that are not in it. A row
 * that stood within the reach of the new page and is missing there has left the list or moved below the page; the next
 * load from above brings it back if it is still wanted.
 */
export function mergeHead<T extends TicketRow>(rows: readonly T[], head: readonly T[]): T[] {
  if (rows.length <= head.length) return [...head];
  const fresh = new Set(head.map((row) => row.number));
  return [...head, ...rows.slice(head.length).filter((row) => !fresh.has(row.number))];
}

export function replaceRow<T extends TicketRow>(rows: readonly T[], row: Partial<T> & { number: number }): T[] {
  return rows.map((old) => (old.number === row.number ? { ...old, ...row } : old));
}
