// What a line of the history says: which sentence of the catalogue, with which words.
import type { HistoryEvent } from "../api/types";

const CUSTOMER_EVENTS = [
  "customer_linked",
  "customer_several",
  "customer_not_found",
  "customer_unlinked",
  "customer_erased",
  "customer_merged",
] as const;
type CustomerEvent = (typeof CUSTOMER_EVENTS)[number];

export interface Said {
  key:
    | "history.created"
    | "history.closed"
    | "history.message"
    | "history.note"
    | "history.took"
    | "history.assigned"
    | "history.unassigned"
    | "history.status"
    | "history.priority"
    | "history.queue"
    | "history.line"
    | "history.handed"
    | "history.tags"
    | "history.subject"
    | `history.${CustomerEvent}`
    | "history.other";
  /** Values of the service that have names of their own: `status`, `priority` and `line` are translated by the caller. */
  to: string;
  from: string;
  field: string;
}

function change(event: HistoryEvent, field: string, from: string | null, to: string | null): Said {
  const said = { to: to ?? "", from: from ?? "", field };
  switch (field) {
    case "assignee":
      if (to === null || to === "") return { ...said, key: "history.unassigned" };
      return { ...said, key: to === event.actor.name ? "history.took" : "history.assigned" };
    case "status":
    case "priority":
    case "queue":
    case "line":
    case "tags":
    case "subject":
      return { ...said, key: `history.${field}` };
    default:
      return { ...said, key: "history.other" };
  }
}

export function says(event: HistoryEvent): Said[] {
  const none = { to: "", from: "", field: "" };
  const changes = event.changes.map(({ field, from, to }) => change(event, field, from, to));
  switch (event.kind) {
    case "opened":
      return [{ ...none, key: "history.created" }];
    case "answered":
    case "requested":
      return [{ ...none, key: "history.message" }, ...changes];
    case "noted":
      return [{ ...none, key: "history.note" }, ...changes];
    case "handed_over":
      // That it belongs to nobody afterwards goes without saying.
      return changes
        .filter(({ field }) => field === "line")
        .map((said) => ({ ...said, key: "history.handed" as const }));
    case "closed":
      return [{ ...none, key: "history.closed" }];
  }
  const customer = CUSTOMER_EVENTS.find((kind) => kind === event.kind);
  if (customer !== undefined) return [{ ...none, key: `history.${customer}` }];
  return changes.length > 0 ? changes : [{ ...none, field: event.kind, key: "history.other" }];
}

/** Lines of the history that belong between the messages: who took it, where it went. */
export function inTalk(event: HistoryEvent): boolean {
  return event.changes.some(({ field }) => ["assignee", "status", "line", "queue"].includes(field));
}
