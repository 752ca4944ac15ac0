// A list of tickets that is loaded page by page and kept fresh at its head.
import { type Page, Refused, type TicketRow } from "../api";
import { said } from "../i18n/said";
import { mergeHead, replaceRow } from "../lib/merge";

export const PAGE = 50;

type Fetch<T> = (cursor: string | null, limit: number, signal: AbortSignal) => Promise<Page<T>>;

export class Rows<T extends TicketRow = TicketRow> {
  readonly key: string;
  readonly #fetch: Fetch<T>;
  items = $state.raw<readonly T[]>([]);
  state = $state<"loading" | "ready" | "failed">("loading");
  /** Why the service refused, where it did. */
  sentence = $state<string | null>(null);
  /** Number of the row that the keys stand on. */
  cursor = $state<number | null>(null);
  marked = $state.raw<ReadonlySet<number>>(new Set());
  scrollTop = 0;
  #next = $state.raw<string | null>(null);
  #busy = $state(false);
  #refreshing = false;

  constructor(key: string, fetch: Fetch<T>) {
    this.key = key;
    this.#fetch = fetch;
  }

  get hasMore(): boolean {
    return this.#next !== null;
  }

  get busy(): boolean {
    return this.#busy;
  }

  async load(): Promise<void> {
    if (this.state === "ready") return this.refresh();
    this.state = "loading";
    try {
      const page = await this.#fetch(null, PAGE, new AbortController().signal);
      this.items = page.items;
      this.#next = page.next_cursor;
      this.sentence = null;
      this.state = "ready";
    } catch (error) {
      this.sentence = error instanceof Refused ? said(error) : null;
      this.state = "failed";
    }
  }

  async more(): Promise<void> {
    if (this.#busy || this.#next === null) return;
    this.#busy = true;
    try {
      const page = await this.#fetch(this.#next, PAGE, new AbortController().signal);
      const known = new Set(this.items.map(({ number }) => number));
      this.items = [...this.items, ...page.items.filter(({ number }) => !known.has(number))];
      this.#next = page.next_cursor;
    } catch {
      // The rows that are here stay; the next scroll tries again.
    } finally {
      this.#busy = false;
    }
  }

  /** Asks for the first page again and puts it on top of what is here. */
  async refresh(): Promise<void> {
    if (this.#refreshing) return;
    this.#refreshing = true;
    try {
      const page = await this.#fetch(null, PAGE, new AbortController().signal);
      const whole = page.next_cursor === null || this.items.length <= PAGE;
      this.items = whole ? page.items : mergeHead(this.items, page.items);
      if (whole) this.#next = page.next_cursor;
      this.state = "ready";
    } catch {
      // What is shown stays.
    } finally {
      this.#refreshing = false;
    }
  }

  has(number: number): boolean {
    return this.items.some((row) => row.number === number);
  }

  update(row: Partial<T> & { number: number }): void {
    if (this.has(row.number)) this.items = replaceRow(this.items, row);
  }

  remove(number: number): void {
    if (this.has(number)) this.items = this.items.filter((row) => row.number !== number);
  }

  /** The row `by` steps away from the given one; the ends stay put. */
  step(from: number | null, by: number): T | null {
    const at = this.items.findIndex(({ number }) => number === from);
    if (at === -1) return this.items[0] ?? null;
    return this.items[Math.min(Math.max(at + by, 0), this.items.length - 1)] ?? null;
  }

  mark(number: number): void {
    const marked = new Set(this.marked);
    if (!marked.delete(number)) marked.add(number);
    this.marked = marked;
  }

  unmark(): void {
    this.marked = new Set();
  }
}
