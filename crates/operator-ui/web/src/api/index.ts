// The one door to the ticket service. Nothing else in the interface knows an address or a header.
import { refusal, Refused, Unreachable } from "./failure";
import { answer, client } from "./http";
import type {
  Attachment,
  Ground,
  HandOver,
  LooksQuery,
  NewApiKey,
  NewMessage,
  NewOperator,
  NewTicket,
  OperatorChange,
  PasswordChange,
  Person,
  QueueChange,
  TicketChange,
  TicketQuery,
} from "./types";

export { Refused, Unreachable };
export { watch } from "./http";
export type * from "./types";
export { GROUNDS, LINES, PRIORITIES, ROLES, STATUSES } from "./types";

const API = "/api/v1";

/** `If-Match` as the service wants it. */
const version = (number: number) => ({ "If-Match": `"${String(number)}"` });
const key = (idempotencyKey: string) => ({ "Idempotency-Key": idempotencyKey });
const paged = (cursor: string | null, limit: number) => ({ limit, ...(cursor !== null && { cursor }) });
const abortable = (signal?: AbortSignal) => (signal ? { signal } : {});

export const session = {
  me: () => answer(client.GET(`${API}/session`)),
  signIn: (email: string, password: string) => answer(client.POST(`${API}/session`, { body: { email, password } })),
  signOut: () => answer(client.DELETE(`${API}/session`)),
  setLocale: (locale: "en" | "ru") => answer(client.PATCH(`${API}/session`, { body: { locale } })),
  changePassword: (body: PasswordChange) => answer(client.PUT(`${API}/session/password`, { body })),
};

export const tickets = {
  list: (query: TicketQuery, cursor: string | null, limit: number, signal?: AbortSignal) =>
    answer(
      client.GET(`${API}/tickets`, { params: { query: { ...query, ...paged(cursor, limit) } }, ...abortable(signal) }),
    ),
  search: (q: string, cursor: string | null, limit: number, signal?: AbortSignal) =>
    answer(client.GET(`${API}/search`, { params: { query: { q, ...paged(cursor, limit) } }, ...abortable(signal) })),
  get: (number: number) => answer(client.GET(`${API}/tickets/{number}`, { params: { path: { number } } })),
  create: (body: NewTicket, idempotencyKey: string) =>
    answer(client.POST(`${API}/tickets`, { params: { header: key(idempotencyKey) }, body })),
  change: (number: number, body: TicketChange, seen: number) =>
    answer(client.PATCH(`${API}/tickets/{number}`, { params: { path: { number }, header: version(seen) }, body })),
  handOver: (number: number, body: HandOver, seen: number) =>
    answer(
      client.POST(`${API}/tickets/{number}/hand-over`, { params: { path: { number }, header: version(seen) }, body }),
    ),
  messages: (number: number, cursor: string | null) =>
    answer(client.GET(`${API}/tickets/{number}/messages`, { params: { path: { number }, query: paged(cursor, 100) } })),
  send: (number: number, body: NewMessage, idempotencyKey: string) =>
    answer(
      client.POST(`${API}/tickets/{number}/messages`, {
        params: { path: { number }, header: key(idempotencyKey) },
        body,
      }),
    ),
  history: (number: number, cursor: string | null) =>
    answer(client.GET(`${API}/tickets/{number}/history`, { params: { path: { number }, query: paged(cursor, 100) } })),
  markRead: (number: number) => answer(client.PUT(`${API}/tickets/{number}/read`, { params: { path: { number } } })),
  presence: (number: number, state: Person["state"]) =>
    answer(client.PUT(`${API}/tickets/{number}/presence`, { params: { path: { number } }, body: { state } })),
  counters: () => answer(client.GET(`${API}/counters`)),
};

export const customer = {
  card: (number: number, signal?: AbortSignal) =>
    answer(client.GET(`${API}/tickets/{number}/card`, { params: { path: { number } }, ...abortable(signal) })),
  reveal: (number: number, field: string) =>
    answer(client.POST(`${API}/tickets/{number}/card/reveal`, { params: { path: { number } }, body: { key: field } })),
  breakGlass: (number: number, body: { ground: Ground; reason: string }) =>
    answer(client.POST(`${API}/tickets/{number}/card/break-glass`, { params: { path: { number } }, body })),
  choose: (number: number, customer_ref: string) =>
    answer(client.PUT(`${API}/tickets/{number}/customer`, { params: { path: { number } }, body: { customer_ref } })),
  unlink: (number: number) =>
    answer(client.DELETE(`${API}/tickets/{number}/customer`, { params: { path: { number } } })),
  lookUp: (number: number, by: { email?: string; phone?: string }) =>
    answer(client.POST(`${API}/tickets/{number}/customer/resolve`, { params: { path: { number } }, body: by })),
};

export const directory = {
  queues: () => answer(client.GET(`${API}/queues`)),
  operators: () => answer(client.GET(`${API}/operators`)),
  tags: (prefix: string) => answer(client.GET(`${API}/tags`, { params: { query: { prefix } } })),
};

export const admin = {
  addOperator: (body: NewOperator) => answer(client.POST(`${API}/operators`, { body })),
  changeOperator: (id: string, body: OperatorChange, seen: number) =>
    answer(client.PATCH(`${API}/operators/{id}`, { params: { path: { id }, header: version(seen) }, body })),
  addQueue: (name: string) => answer(client.POST(`${API}/queues`, { body: { name } })),
  changeQueue: (id: string, body: QueueChange) =>
    answer(client.PATCH(`${API}/queues/{id}`, { params: { path: { id } }, body })),
  keys: () => answer(client.GET(`${API}/api-keys`)),
  addKey: (body: NewApiKey) => answer(client.POST(`${API}/api-keys`, { body })),
  revokeKey: (id: string) => answer(client.DELETE(`${API}/api-keys/{id}`, { params: { path: { id } } })),
};

export const oversight = {
  looks: (query: LooksQuery, cursor: string | null) =>
    answer(
      client.GET(`${API}/oversight/looks`, { params: { query: { ...query, ...(cursor !== null && { cursor }) } } }),
    ),
  budgets: (cursor: string | null) =>
    answer(client.GET(`${API}/oversight/budgets`, { params: { query: cursor === null ? {} : { cursor } } })),
  anomalies: (cursor: string | null) =>
    answer(client.GET(`${API}/oversight/anomalies`, { params: { query: cursor === null ? {} : { cursor } } })),
  notices: (open: boolean, cursor: string | null) =>
    answer(client.GET(`${API}/oversight/notices`, { params: { query: { open, ...(cursor !== null && { cursor }) } } })),
  acknowledge: (id: string) =>
    answer(client.POST(`${API}/oversight/notices/{id}/acknowledge`, { params: { path: { id } } })),
};
export const attachments = {
  address: (id: string) => `${API}/attachments/${id}`,
  /** Sends one file; `progress` gets 0 to 1. XMLHttpRequest, because fetch does not tell how much has been sent. */
  upload: (file: File, progress: (part: number) => void, signal: AbortSignal): Promise<Attachment> =>
    new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      const form = new FormData();
      form.set("file", file, file.name);
      request.open("POST", `${API}/attachments`);
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

export const events = () => new EventSource(`${API}/events`);
