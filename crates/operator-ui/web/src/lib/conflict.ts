import type { Ticket, TicketChange } from "../api/types";

export type ChangedField = "subject" | "status" | "priority" | "queue" | "assignee" | "tags";

function read(ticket: Ticket, field: ChangedField): string {
  switch (field) {
    case "queue":
      return ticket.queue.id;
    case "assignee":
      return ticket.assignee?.id ?? "";
    case "tags":
      return [...ticket.tags].sort().join("\n");
    default:
      return ticket[field];
  }
}

const FIELDS: readonly [keyof TicketChange, ChangedField][] = [
  ["subject", "subject"],
  ["status", "status"],
  ["priority", "priority"],
  ["queue_id", "queue"],
  ["assignee_id", "assignee"],
  ["tags", "tags"],
];

/** The fields that we wanted to change and that somebody else has changed meanwhile. */
export function clashes(change: TicketChange, before: Ticket, current: Ticket): ChangedField[] {
  return FIELDS.filter(([key]) => key in change)
    .map(([, field]) => field)
    .filter((field) => read(before, field) !== read(current, field));
}
