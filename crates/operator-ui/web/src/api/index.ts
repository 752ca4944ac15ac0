// The one door to the ticket service. Nothing else in the interface knows an address or a header.
import { refusal, Refused, Unreachable } from "./failure";
import { address, call } from "./http";
import type {
  Attachment,
  CardAnswer,
  Counters,
  FoundRow,
  HandOver,
  HistoryEvent,
  Me,
  Message,
  NewMessage,
  NewTicket,
  Operator,
  Page,
  Person,
  Queue,
  RevealedField,
  Ticket,
  TicketChange,
  TicketQuery,
  TicketRow,
} from "./types";

export { Refused, Unreachable };
export { watch } from "./http";
export type * from "./types";
export { LINES, PRIORITIES, STATUSES } from "./types";

export const session = {
  me: () => call<Me>("GET", "/session"),
  signIn: (email: string, password: string) => call<Me>("POST", "/session", { body: { email, password } }),
  signOut: () => call<undefined>("DELETE", "/session"),
  setLocale: (locale: string) => call<Me>("PATCH", "/session", { body: { locale } }),
};

export const tickets = {
  list: (query: TicketQuery, cursor: string | null, limit: number, signal?: AbortSignal) =>
    call<Page<TicketRow>>("GET", "/tickets", { query: { ...query, cursor, limit }, ...(signal && { signal }) }),
  search: (q: string, cursor: string | null, limit: number, signal?: AbortSignal) =>
    call<Page<FoundRow>>("GET", "/search", { query: { q, cursor, limit }, ...(signal && { signal }) }),
  get: (number: number) => call<Ticket>("GET", `/tickets/${String(number)}`),
  create: (ticket: NewTicket, idempotencyKey: string) =>
    call<Ticket>("POST", "/tickets", { body: ticket, idempotencyKey }),
  change: (number: number, change: TicketChange, version: number) =>
    call<Ticket>("PATCH", `/tickets/${String(number)}`, { body: change, ifMatch: version }),
  handOver: (number: number, handOver: HandOver, version: number) =>
    call<Ticket>("POST", `/tickets/${String(number)}/hand-over`, { body: handOver, ifMatch: version }),
  messages: (number: number, cursor: string | null) =>
    call<Page<Message>>("GET", `/tickets/${String(number)}/messages`, { query: { cursor, limit: 100 } }),
  send: (number: number, message: NewMessage, idempotencyKey: string) =>
    call<{ message: Message; ticket: Ticket }>("POST", `/tickets/${String(number)}/messages`, {
      body: message,
      idempotencyKey,
    }),
  history: (number: number, cursor: string | null) =>
    call<Page<HistoryEvent>>("GET", `/tickets/${String(number)}/history`, { query: { cursor } }),
  markRead: (number: number) => call<undefined>("PUT", `/tickets/${String(number)}/read`),
  presence: (number: number, state: Person["state"]) =>
    call<undefined>("PUT", `/tickets/${String(number)}/presence`, { body: { state } }),
  counters: () => call<Counters>("GET", "/counters"),
};

export const customer = {
  card: (number: number, signal?: AbortSignal) =>
    call<CardAnswer>("GET", `/tickets/${String(number)}/card`, signal ? { signal } : {}),
  reveal: (number: number, key: string) =>
    call<RevealedField>("POST", `/tickets/${String(number)}/card/reveal`, { body: { key } }),
  choose: (number: number, customer_ref: string) =>
    call<Ticket>("PUT", `/tickets/${String(number)}/customer`, { body: { customer_ref } }),
  unlink: (number: number) => call<Ticket>("DELETE", `/tickets/${String(number)}/customer`),
  lookUp: (number: number, by: { email?: string; phone?: string }) =>
    call<Ticket>("POST", `/tickets/${String(number)}/customer/resolve`, { body: by }),
};

export const directory = {
  queues: () => call<Queue[]>("GET", "/queues"),
  operators: () => call<Page<Operator>>("GET", "/operators"),
  tags: (prefix: string) => call<string[]>("GET", "/tags", { query: { prefix } }),
};

export const attachments = {
  address: (id: string) => address(`/attachments/${id}`),
  /** Sends one file; `progress` gets 0 to 1. XMLHttpRequest, because fetch does not tell how much has been sent. */
  upload: (file: File, progress: (part: number) => void, signal: AbortSignal): Promise<Attachment> =>
    new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      const form = new FormData();
      form.set("file", file, file.name);
      request.open("POST", address("/attachments"));
      request.setRequestHeader("Accept", "application/json");
      request.upload.addEventListener("progress", (event) => {
        if (event.lengthComputable && event.total > 0) progress(event.loaded / event.total);
      });
      request.addEventListener("error", () => {
        reject(new Unreachable());
      });
      request.addEventListener("abort", () => {
        reject(new DOMException("aborted", "AbortError"));
      });
      request.addEventListener("load", () => {
        if (request.status >= 200 && request.status < 300) {
          resolve(JSON.parse(request.responseText) as Attachment);
          return;
        }
        const type = request.getResponseHeader("content-type") ?? "";
        void refusal(
          new Response(request.responseText, { status: request.status, headers: { "content-type": type } }),
        ).then(reject);
      });
      signal.addEventListener("abort", () => {
        request.abort();
      });
      request.send(form);
    }),
};

export const events = () => new EventSource(address("/events"));
