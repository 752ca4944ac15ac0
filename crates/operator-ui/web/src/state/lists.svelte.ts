// The list on the screen, and those that were there before: going back shows them at once and then asks what changed.
import { type FoundRow, type Ticket, type TicketRow, tickets as api } from "../api";
import { belongs, type Filters, readFilters, ticketQuery } from "../lib/filters";
import type { View } from "../lib/route";
import { Rows } from "./rows.svelte";
import { session } from "./session.svelte";

const KEPT_MAX = 8;
const kept = new Map<string, Rows>();
let current = $state.raw<Rows | null>(null);
/** What the current list is of; null for a search. */
let scope: { view: View; filters: Filters } | null = null;

function open(key: string, make: () => Rows): Rows {
  const rows = kept.get(key) ?? make();
  kept.delete(key);
  kept.set(key, rows);
  for (const old of kept.keys()) {
    if (kept.size <= KEPT_MAX) break;
    kept.delete(old);
  }
  current = rows;
  void rows.load();
  return rows;
}

export const lists = {
  get current(): Rows | null {
    return current;
  },
  showView(view: View, search: string): void {
    const filters = readFilters(search);
    const query = ticketQuery(view, filters);
    scope = { view, filters };
    const key = `view ${JSON.stringify(query)}`;
    if (current?.key === key) return;
    open(key, () => new Rows(key, (cursor, limit, signal) => api.list(query, cursor, limit, signal)));
  },
  showFound(words: string): void {
    scope = null;
    const key = `find ${words}`;
    if (current?.key === key) return;
    open(key, () => new Rows<FoundRow>(key, (cursor, limit, signal) => api.search(words, cursor, limit, signal)));
  },
  showNothing(): void {
    scope = null;
    current = null;
  },
  /** A ticket changed on this screen: its row follows at once, or leaves. */
  follow(ticket: Ticket): void {
    const row: Omit<TicketRow, "unread"> = { ...ticket, requester: { name: ticket.requester.name } };
    const me = session.me;
    for (const rows of kept.values()) rows.update(row);
    if (scope !== null && me !== null && current?.has(row.number) === true) {
      if (!belongs(row, scope.view, scope.filters, me)) current.remove(row.number);
    }
  },
  /** Others changed tickets: the head is asked for again, and rows further down one by one. */
  async refresh(changed: ReadonlySet<number>): Promise<void> {
    const rows = current;
    if (rows === null) return;
    await rows.refresh();
    const deep = rows.items.slice(50).filter(({ number }) => changed.has(number));
    for (const { number } of deep.slice(0, 20)) {
      const ticket = await api.get(number).catch(() => null);
      if (ticket === null) rows.remove(number);
      else lists.follow(ticket);
    }
  },
  read(number: number): void {
    for (const rows of kept.values()) rows.update({ number, unread: false });
  },
  forget(): void {
    kept.clear();
    current = null;
  },
};
