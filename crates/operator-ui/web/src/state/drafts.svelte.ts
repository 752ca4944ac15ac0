// Drafts of answers and notes, kept over reloads. One per ticket and mode.
import { type Attachment } from "../api";
import { type Draft, emptyDraft, isEmpty, type Mode, type Outgoing, takeBack } from "../lib/draft";
import { session } from "./session.svelte";
import { isRecord, keep, kept } from "./storage";

function looksLikeDraft(value: unknown): value is Draft {
  return (
    isRecord(value) &&
    typeof value["text"] === "string" &&
    typeof value["key"] === "string" &&
    Array.isArray(value["attachments"])
  );
}

const open = $state<Record<string, Draft>>({});
const timers = new Map<string, ReturnType<typeof setTimeout>>();

function name(number: number, mode: Mode): string {
  return `${session.me?.id ?? "nobody"}.${String(number)}.${mode}`;
}

function save(id: string): void {
  clearTimeout(timers.get(id));
  timers.delete(id);
  const draft = open[id];
  if (draft !== undefined) keep(`draft.${id}`, isEmpty(draft) ? null : $state.snapshot(draft));
}

function saveSoon(id: string): void {
  clearTimeout(timers.get(id));
  timers.set(
    id,
    setTimeout(() => {
      save(id);
    }, 250),
  );
}

addEventListener("pagehide", () => {
  for (const id of timers.keys()) save(id);
});

function stored(id: string): Draft {
  return kept(`draft.${id}`, looksLikeDraft) ?? emptyDraft();
}

export const drafts = {
  /** Reads the draft from storage into memory, once; call it before rendering. */
  open(number: number): void {
    for (const mode of ["answer", "note"] as const) {
      const id = name(number, mode);
      open[id] ??= stored(id);
    }
  },
  get(number: number, mode: Mode): Draft {
    const id = name(number, mode);
    return open[id] ?? stored(id);
  },
  setText(number: number, mode: Mode, text: string): void {
    const id = name(number, mode);
    open[id] = { ...(open[id] ?? stored(id)), text };
    saveSoon(id);
  },
  attach(number: number, mode: Mode, attachment: Attachment): void {
    const id = name(number, mode);
    const draft = open[id] ?? stored(id);
    open[id] = { ...draft, attachments: [...draft.attachments, attachment] };
    save(id);
  },
  detach(number: number, mode: Mode, attachment: string): void {
    const id = name(number, mode);
    const draft = open[id] ?? stored(id);
    open[id] = { ...draft, attachments: draft.attachments.filter((file) => file.id !== attachment) };
    save(id);
  },
  clear(number: number, mode: Mode): void {
    const id = name(number, mode);
    open[id] = emptyDraft();
    save(id);
  },
  takeBack(outgoing: Outgoing): void {
    const id = name(outgoing.number, outgoing.kind);
    open[id] = takeBack(outgoing, open[id] ?? stored(id));
    save(id);
  },
};
