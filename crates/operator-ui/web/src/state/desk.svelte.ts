// The open ticket, its card, and who else is looking at it. Recently seen tickets stay in memory so that going back is
// one frame; cards do not.
import { type Person, tickets as api } from "../api";
import { Card } from "./card.svelte";
import { drafts } from "./drafts.svelte";
import { OpenTicket } from "./ticket.svelte";

const KEPT_MAX = 24;
const HEARTBEAT_MS = 20_000;
const recent = new Map<number, OpenTicket>();

let current = $state.raw<OpenTicket | null>(null);
let card = $state.raw<Card | null>(null);
let told: Person["state"] = "away";
/** Who has which ticket open, as far as it was told; the stream tells all of it when it begins. */
const present = new Map<number, readonly Person[]>();

function get(number: number): OpenTicket {
  const known = recent.get(number) ?? new OpenTicket(number);
  recent.delete(number);
  recent.set(number, known);
  for (const old of recent.keys()) {
    if (recent.size <= KEPT_MAX) break;
    recent.delete(old);
  }
  return known;
}

function tell(number: number, state: Person["state"]): void {
  told = state;
  api.presence(number, state).catch(() => undefined);
}

export const desk = {
  get current(): OpenTicket | null {
    return current;
  },
  get card(): Card | null {
    return card;
  },
  known: (number: number): OpenTicket | undefined => recent.get(number),

  show(number: number): void {
    if (current?.number === number) return;
    desk.clear();
    const next = get(number);
    next.people = present.get(number) ?? [];
    next.problem = null;
    drafts.open(number);
    current = next;
    card = new Card(number);
    void next.load();
    tell(number, "reading");
  },
  clear(): void {
    if (current !== null) tell(current.number, "away");
    card?.drop();
    card = null;
    current = null;
  },
  /** Gets a ticket ready that will probably be opened next; never its card: a card is looked at, not prepared. */
  prefetch(number: number): void {
    if (recent.has(number)) return;
    void get(number).load();
  },
  setPeople(number: number, people: readonly Person[]): void {
    if (people.length === 0) present.delete(number);
    else present.set(number, people);
    if (current?.number === number) current.people = people;
  },
  /** What is on the screen counts as read. */
  markRead(): void {
    if (current !== null && !document.hidden) api.markRead(current.number).catch(() => undefined);
  },
  /** The operator began or stopped writing. */
  writing(isWriting: boolean): void {
    const state = isWriting ? "answering" : "reading";
    if (current !== null && told !== state) tell(current.number, state);
  },
  forget(): void {
    desk.clear();
    recent.clear();
    present.clear();
  },
};

setInterval(() => {
  if (current !== null && !document.hidden) tell(current.number, told === "away" ? "reading" : told);
}, HEARTBEAT_MS);

document.addEventListener("visibilitychange", () => {
  if (current !== null) tell(current.number, document.hidden ? "away" : "reading");
});
