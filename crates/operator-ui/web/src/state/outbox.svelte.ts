// Messages on their way. Each has one idempotency key for all its tries, so that it arrives once however often it is
// sent. What cannot go out now waits here, over reloads too; what is refused goes back to the draft.
import { type Message, type NewMessage, Refused, type Ticket, tickets as api, Unreachable } from "../api";
import { said } from "../i18n/said";
import type { Outgoing } from "../lib/draft";
import { connection } from "./connection.svelte";
import { desk } from "./desk.svelte";
import { drafts } from "./drafts.svelte";
import { session } from "./session.svelte";
import { isRecord, keep, kept } from "./storage";

export interface Sending extends Outgoing {
  state: "sending" | "waiting";
}

/** Why the last message of a ticket came back. */
export interface Returned {
  number: number;
  sentence: string;
}

let list = $state.raw<readonly Sending[]>([]);
let returned = $state.raw<Returned | null>(null);

function isList(value: unknown): value is Outgoing[] {
  return Array.isArray(value) && value.every((item) => isRecord(item) && typeof item["key"] === "string");
}

function save(): void {
  const me = session.me?.id;
  if (me === undefined) return;
  keep(`outbox.${me}`, list.length === 0 ? null : list.map(({ state: _, ...outgoing }) => outgoing));
}

function set(key: string, state: Sending["state"]): void {
  list = list.map((item) => (item.key === key ? { ...item, state } : item));
}

function remove(key: string): void {
  list = list.filter((item) => item.key !== key);
  save();
}

function question(item: Outgoing): NewMessage {
  return {
    kind: item.kind,
    text: item.text,
    attachment_ids: item.attachments.map(({ id }) => id),
    ...(item.thenStatus !== null && { then_status: item.thenStatus }),
    ...(item.kind === "answer" && item.seenMessage !== null && { seen_message_id: item.seenMessage }),
  };
}

async function send(item: Outgoing): Promise<void> {
  set(item.key, "sending");
  try {
    arrived(item, await api.send(item.number, question(item), item.key));
  } catch (error) {
    if (error instanceof Unreachable) {
      set(item.key, "waiting");
    } else {
      await refused(item, error);
    }
  }
}

function arrived(item: Outgoing, answer: { message: Message; ticket: Ticket }): void {
  const ticket = desk.known(item.number);
  ticket?.addMessage(answer.message);
  ticket?.take(answer.ticket);
  if (ticket?.arrived.length === 0) ticket.markSeen();
  void ticket?.reloadHistory();
  remove(item.key);
}

async function refused(item: Outgoing, error: unknown): Promise<void> {
  // What stands in the way (new messages, another status) should be on the screen when the text comes back.
  if (error instanceof Refused && error.status === 409) await desk.known(item.number)?.load();
  remove(item.key);
  drafts.takeBack(item);
  returned = { number: item.number, sentence: said(error) };
}

export const outbox = {
  of: (number: number): readonly Sending[] => list.filter((item) => item.number === number),
  returned: (number: number): Returned | null => (returned?.number === number ? returned : null),
  dismiss(): void {
    returned = null;
  },
  put(item: Outgoing): void {
    returned = null;
    list = [...list, { ...item, state: "sending" }];
    save();
    void send(item);
  },
  /** Takes a waiting message back into the composer. */
  recall(key: string): void {
    const item = list.find((waiting) => waiting.key === key);
    if (item === undefined) return;
    remove(key);
    drafts.takeBack(item);
  },
  /** Reads what an earlier page of this operator left behind, and sends it. */
  resume(): void {
    const me = session.me?.id;
    if (me === undefined) return;
    const stored = kept(`outbox.${me}`, isList) ?? [];
    const known = new Set(list.map(({ key }) => key));
    const left = stored.filter(({ key }) => !known.has(key));
    list = [...list, ...left.map((item) => ({ ...item, state: "waiting" as const }))];
    outbox.flush();
  },
  flush(): void {
    for (const item of list) if (item.state === "waiting") void send(item);
  },
};

connection.onReturn(outbox.flush);
