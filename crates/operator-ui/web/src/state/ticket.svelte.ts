// One ticket on the desk: the ticket, its conversation and its history, and every change that is made to it.
import {
  type HandOver,
  type HistoryEvent,
  type Message,
  type Person,
  Refused,
  type Status,
  type Ticket,
  type TicketChange,
  tickets as api,
} from "../api";
import { t, tOr } from "../i18n/index.svelte";
import { said } from "../i18n/said";
import { type ChangedField, clashes } from "../lib/conflict";
import { session } from "./session.svelte";
import { toasts } from "./toasts.svelte";

type Overlay = Partial<Ticket>;

export interface Conflict {
  fields: ChangedField[];
  again: () => void;
}

const PAGES_MAX = 20;

export class OpenTicket {
  readonly number: number;
  #base = $state.raw<Ticket | null>(null);
  #overlays = $state.raw<readonly Overlay[]>([]);
  messages = $state.raw<readonly Message[]>([]);
  history = $state.raw<readonly HistoryEvent[]>([]);
  people = $state.raw<readonly Person[]>([]);
  problem = $state<"missing" | "unreachable" | null>(null);
  conflict = $state.raw<Conflict | null>(null);
  /** How many messages the writer of the draft has had before their eyes. */
  #seenMessages = $state(0);
  #loading: Promise<void> | null = null;
  #again = false;
  #leaving = false;
  #writes: Promise<unknown> = Promise.resolve();

  constructor(number: number) {
    this.number = number;
  }

  /** The ticket as it is shown: with the changes that are still on their way. */
  readonly ticket: Ticket | null = $derived(
    this.#base === null
      ? null
      : this.#overlays.reduce<Ticket>((shown, overlay) => ({ ...shown, ...overlay }), this.#base),
  );

  get version(): number {
    return this.#base?.version ?? 0;
  }

  get loaded(): boolean {
    return this.#base !== null;
  }

  /** What others wrote to the requester, or the requester wrote, since this draft was begun. */
  get arrived(): readonly Message[] {
    const mine = session.me?.id;
    return this.messages.slice(this.#seenMessages).filter(({ kind, author }) => kind !== "note" && author.id !== mine);
  }

  /** The newest message that the writer has read. */
  get seenMessage(): string | null {
    return this.messages[this.#seenMessages - 1]?.id ?? null;
  }

  /** The writer knows all that is here now. */
  markSeen(): void {
    this.#seenMessages = this.messages.length;
  }

  /** Asks for everything again. Calls during a load are served by one more load after it. */
  async load(): Promise<void> {
    if (this.#leaving) return;
    if (this.#loading !== null) {
      this.#again = true;
      return this.#loading;
    }
    this.#loading = this.#load().finally(() => {
      this.#loading = null;
    });
    await this.#loading;
    if (this.#again) {
      this.#again = false;
      await this.load();
    }
  }

  async #load(): Promise<void> {
    const first = !this.loaded;
    try {
      const [ticket, messages, history] = await Promise.all([
        api.get(this.number),
        allMessages(this.number),
        api.history(this.number, null),
      ]);
      this.messages = messages;
      this.history = [...history.items].sort((a, b) => b.at.localeCompare(a.at));
      this.take(ticket);
      if (first || this.arrived.length === 0) this.markSeen();
    } catch (error) {
      if (error instanceof Refused && error.status === 404) this.problem = "missing";
      else if (first) this.problem = "unreachable";
    }
  }

  /** Takes a state of the ticket that came from the service, unless a newer one is already here. */
  take(ticket: Ticket): void {
    this.problem = null;
    if (ticket.version >= this.version) this.#base = ticket;
  }

  addMessage(message: Message): void {
    if (this.messages.some(({ id }) => id === message.id)) return;
    const knewAll = this.#seenMessages === this.messages.length;
    this.messages = [...this.messages, message];
    if (knewAll) this.#seenMessages = this.messages.length;
  }

  async reloadHistory(): Promise<void> {
    const page = await api.history(this.number, null).catch(() => null);
    if (page !== null) this.history = [...page.items].sort((a, b) => b.at.localeCompare(a.at));
  }

  /** Changes the ticket: at once on the screen, then at the service; taken back if refused. True when it was made. */
  change(change: TicketChange, shown: Overlay): Promise<boolean> {
    const before = this.ticket;
    this.#overlays = [...this.#overlays, shown];
    const run = async () => {
      try {
        return await this.#write(change, before, 0);
      } finally {
        this.#overlays = this.#overlays.filter((overlay) => overlay !== shown);
      }
    };
    const done = this.#writes.then(run, run);
    this.#writes = done;
    return done;
  }

  async #write(change: TicketChange, before: Ticket | null, tries: number): Promise<boolean> {
    try {
      this.take(await api.change(this.number, change, this.version));
      this.conflict = null;
      void this.reloadHistory();
      return true;
    } catch (error) {
      if (!(error instanceof Refused && error.status === 412)) {
        toasts.wrong(said(error));
        return false;
      }
      const current = error.current ?? (await api.get(this.number));
      this.take(current);
      const fields = before === null ? [] : clashes(change, before, current);
      // Somebody changed something else: our change takes nothing from them.
      if (fields.length === 0 && tries < 3) return this.#write(change, before, tries + 1);
      this.conflict = {
        fields,
        again: () => {
          this.conflict = null;
          void this.change(change, {});
        },
      };
      void this.reloadHistory();
      return false;
    }
  }

  async setStatus(status: Status): Promise<void> {
    const before = this.ticket?.status;
    if (before === undefined || before === status) return;
    if (!(await this.change({ status }, { status }))) return;
    const back = this.ticket?.allowed_moves.includes(before) === true;
    toasts.say(
      t("done.status", { status: tOr("status", status) }),
      back
        ? () => {
            void this.change({ status: before }, { status: before });
          }
        : undefined,
    );
  }

  async assign(assignee: { id: string; name: string; initials: string } | null): Promise<void> {
    const before = this.ticket?.assignee ?? null;
    if (before?.id === assignee?.id) return;
    if (!(await this.change({ assignee_id: assignee?.id ?? null }, { assignee }))) return;
    toasts.say(assignee === null ? t("done.unassigned") : t("done.assigned", { name: assignee.name }), () => {
      void this.change({ assignee_id: before?.id ?? null }, { assignee: before });
    });
  }

  async handOver(handOver: HandOver): Promise<void> {
    // Its own live update comes before the answer, and may find the ticket out of our sight already.
    this.#leaving = true;
    try {
      this.take(await api.handOver(this.number, handOver, this.version));
    } finally {
      this.#leaving = false;
    }
  }
}

async function allMessages(number: number): Promise<Message[]> {
  const messages: Message[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const { items, next_cursor } = await api.messages(number, cursor);
    messages.push(...items);
    cursor = next_cursor;
    if (cursor === null) break;
  }
  return messages.sort((a, b) => a.created_at.localeCompare(b.created_at));
}
