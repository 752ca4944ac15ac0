// What the ticket service speaks, under the names that the interface uses. Generated from api-spec/; nothing is written
// twice here.
import type { components, operations } from "./schema";

type Schemas = components["schemas"];

/**
 * An answer. The service sends every member, and null where there is nothing, while its description calls members that
 * can be null optional; that is right for questions only. A line is "a number from 1 to 3" there.
 */
export type Answer<T> = T extends readonly (infer Item)[]
  ? Answer<Item>[]
  : T extends object
    ? { [Key in keyof T]-?: Key extends "line" ? Line | Extract<T[Key], null> : Answer<Exclude<T[Key], undefined>> }
    : T;

export type Role = Schemas["Role"];
export type Line = 1 | 2 | 3;
export type Status = Schemas["Status"];
export type Priority = Schemas["Priority"];
export type Channel = Schemas["Channel"];
export type CustomerLink = Schemas["CustomerState"];
export type Scope = Schemas["KeyScope"];

export const STATUSES: readonly Status[] = [
  "new",
  "open",
  "waiting_customer",
  "waiting_third_party",
  "resolved",
  "closed",
];
export const PRIORITIES: readonly Priority[] = ["urgent", "high", "normal", "low"];
export const ROLES: readonly Role[] = ["line1", "line2", "line3", "supervisor", "admin"];
export const LINES: readonly Line[] = [1, 2, 3];

export type Me = Answer<Schemas["Me"]>;
export type Assignee = Answer<Schemas["Person"]>;
export type TicketRow = Answer<Schemas["TicketSummary"]>;
export type FoundRow = Answer<Schemas["FoundTicket"]>;
export type Ticket = Answer<Schemas["Ticket"]>;
export type Attachment = Answer<Schemas["Attachment"]>;
export type Message = Answer<Schemas["Message"]>;
export type MessageKind = Message["kind"];
export type HistoryEvent = Answer<Schemas["HistoryEntry"]>;
export type Counters = Answer<Schemas["Counters"]>;
export type Queue = Answer<Schemas["Queue"]>;
export type ApiKey = Answer<Schemas["ApiKey"]>;
export type Person = Answer<Schemas["PresentPerson"]>;
/** The account is there for administrators only. */
export type Operator = Answer<Omit<Schemas["Operator"], keyof Schemas["OperatorAccount"]>> &
  Partial<Schemas["OperatorAccount"]>;

export type CardAnswer = Answer<Schemas["CardView"]>;
export type CustomerCard = Answer<Schemas["CustomerCard"]>;
export type CardField = CustomerCard["fields"][number];
export type CardValue = CardField["value"];

export type Look = Answer<Schemas["Look"]>;
export type ViewingBudget = Answer<Schemas["ViewingBudget"]>;
export type Spending = ViewingBudget["hour"];
export type Notice = Answer<Schemas["OversightNotice"]>;
export type Ground = Schemas["Ground"];
export type LooksQuery = NonNullable<operations["listLooks"]["parameters"]["query"]>;
export const GROUNDS: readonly Ground[] = ["customer_waiting", "incident", "safety", "other"];

export type TicketChange = Schemas["ChangeTicketBody"];
export type NewMessage = Schemas["PostMessageBody"];
export type NewTicket = Schemas["OpenTicketBody"];
export type HandOver = Schemas["HandOverBody"];
export type NewOperator = Schemas["NewOperator"];
export type OperatorChange = Schemas["OperatorChange"];
export type PasswordChange = Schemas["PasswordChange"];
export type QueueChange = Schemas["ChangeQueueBody"];
export type NewApiKey = Schemas["NewApiKey"];
export type TicketQuery = NonNullable<operations["listTickets"]["parameters"]["query"]>;

/** RFC 9457 problem details; `current` is the ticket where a change of one was refused. */
export type Problem = Omit<Schemas["Problem"], "current" | "type"> & { current?: Ticket | null };

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}
