// What the ticket service speaks, as the interface uses it.

export type Role = "line1" | "line2" | "line3" | "supervisor" | "admin";
export type Line = 1 | 2 | 3;
export type Status = "new" | "open" | "waiting_customer" | "waiting_third_party" | "resolved" | "closed";
export type Priority = "low" | "normal" | "high" | "urgent";
export type Channel = "web_form" | "api" | "operator";

export const STATUSES: readonly Status[] = [
  "new",
  "open",
  "waiting_customer",
  "waiting_third_party",
  "resolved",
  "closed",
];
export const PRIORITIES: readonly Priority[] = ["urgent", "high", "normal", "low"];
export const LINES: readonly Line[] = [1, 2, 3];

export interface Me {
  id: string;
  name: string;
  email: string;
  role: Role;
  line: Line | null;
  locale: string | null;
  permissions: string[];
}

export interface Named {
  id: string;
  name: string;
}

export interface Assignee extends Named {
  initials: string;
}

export interface TicketRow {
  number: number;
  subject: string;
  status: Status;
  priority: Priority;
  line: Line;
  queue: Named;
  assignee: Assignee | null;
  requester: { name: string };
  channel: Channel;
  tags: string[];
  created_at: string;
  updated_at: string;
  last_message_at: string;
  unread: boolean;
  version: number;
}

export interface FoundRow extends TicketRow {
  snippet: string;
}

export type CustomerLink = "linked" | "several" | "none" | "pending" | "erased";

export interface Ticket extends Omit<TicketRow, "requester" | "unread"> {
  requester: { id: string; name: string; email: string; phone: string | null };
  customer: { state: CustomerLink };
  allowed_moves: Status[];
}

export interface TicketChange {
  subject?: string;
  status?: Status;
  priority?: Priority;
  queue_id?: string;
  assignee_id?: string | null;
  tags?: string[];
}

export interface Attachment {
  id: string;
  name: string;
  media_type: string;
  bytes: number;
}

export type MessageKind = "request" | "answer" | "note";

export interface Message {
  id: string;
  kind: MessageKind;
  author: { kind: "requester" | "operator" | "system"; id?: string | null; name: string; initials: string };
  html: string;
  text: string;
  channel: Channel;
  created_at: string;
  attachments: Attachment[];
}

export interface NewMessage {
  kind: "answer" | "note";
  text: string;
  attachment_ids: string[];
  then_status?: Status;
  /** The newest message that the writer has read. */
  seen_message_id?: string;
}

export interface NewTicket {
  subject: string;
  text: string;
  requester: { name: string; email: string; phone?: string };
  queue_id?: string;
  priority?: Priority;
  tags?: string[];
  line?: Line;
}

export interface HandOver {
  line: Line;
  reason: string;
  tried: string;
}

export interface HistoryEvent {
  id: string;
  at: string;
  actor: { kind: string; name: string };
  kind: string;
  changes: { field: string; from: string | null; to: string | null }[];
  note?: string | null;
}

export type CardValue =
  | { kind: "text" | "email" | "phone" | "url" | "date" | "enum"; value: string }
  | { kind: "flag"; value: boolean }
  | { kind: "masked"; mask: string; revealable: boolean }
  | { kind: "withheld" }
  | { kind: "empty" };

export interface CardField {
  key: string;
  label: string;
  value: CardValue;
}

export interface CustomerCard {
  customer_ref: string;
  policy: { number: number; hash: string };
  as_of: string;
  stale: boolean;
  fields: CardField[];
}

export type CardAnswer =
  | { state: "card"; card: CustomerCard }
  | { state: "several"; candidates: { customer_ref: string; card: CustomerCard | null }[] }
  | { state: "none" | "pending" | "erased" | "unavailable" | "withheld" };

export interface RevealedField {
  field: CardField;
}

export interface Counters {
  inbox: number;
  mine: number;
  lines: Partial<Record<string, number>>;
}

export interface Operator extends Named {
  initials: string;
  role: Role;
  line: Line | null;
  active: boolean;
  /** These are for administrators only. */
  email?: string;
  created_at?: string;
  version?: number;
}

export interface Queue extends Named {
  position: number;
  active: boolean;
}

export type Scope = "tickets:read" | "tickets:write" | "admin";

export interface ApiKey extends Named {
  role: Role;
  scopes: Scope[];
  created_by: string;
  created_at: string;
  last_used_at: string | null;
  revoked_at: string | null;
}

export interface Person extends Named {
  state: "reading" | "answering" | "away";
}

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

export interface TicketQuery {
  view: "inbox" | "mine" | "line1" | "line2" | "line3" | "all";
  status: string | null;
  queue: string | null;
  assignee: string | null;
  priority: string | null;
  tag: string | null;
  sort: "updated" | "created" | "priority";
  dir: "asc" | "desc";
}

/** RFC 9457 problem details, as every refusal of the service carries them. */
export interface Problem {
  code: string;
  title: string;
  detail?: string;
  status: number;
  request_id?: string;
  errors?: { field: string; message: string }[];
  current?: Ticket;
}
