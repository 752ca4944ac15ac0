import type { Attachment, Status } from "../api/types";

export type Mode = "answer" | "note";

/** What an operator has written and not sent. Their own words only: nothing of a card ever comes here. */
export interface Draft {
  text: string;
  attachments: Attachment[];
  /** Idempotency key of the message that this draft becomes. */
  key: string;
}

/** A message on its way: sent as soon as the service can be reached. */
export interface Outgoing {
  key: string;
  number: number;
  kind: Mode;
  text: string;
  attachments: Attachment[];
  thenStatus: Status | null;
  /** The newest message that the writer had read; null where there was none. */
  seenMessage: string | null;
  at: number;
}

/** 128 random bits; `randomUUID` exists only where the address is https or this machine. */
export function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function emptyDraft(): Draft {
  return { text: "", attachments: [], key: newKey() };
}

export function isEmpty(draft: Draft): boolean {
  return draft.text.trim() === "" && draft.attachments.length === 0;
}

/** A refused message comes back to the draft; what was typed meanwhile stays below it. */
export function takeBack(outgoing: Outgoing, draft: Draft): Draft {
  const text = draft.text.trim() === "" ? outgoing.text : `${outgoing.text}\n\n${draft.text}`;
  const known = new Set(outgoing.attachments.map(({ id }) => id));
  return {
    text,
    attachments: [...outgoing.attachments, ...draft.attachments.filter(({ id }) => !known.has(id))],
    key: newKey(),
  };
}
