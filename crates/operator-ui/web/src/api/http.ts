import { isAway, refusal, Unreachable } from "./failure";

type Query = Record<string, string | number | null | undefined>;

interface Options {
  query?: Query;
  body?: unknown;
  ifMatch?: number;
  idempotencyKey?: string;
  signal?: AbortSignal;
}

/** Told of every call: whether the service was reached, and of a session that has ended. */
export interface Watcher {
  reached(): void;
  missed(): void;
  signedOut(): void;
}

let watcher: Watcher | null = null;

export function watch(next: Watcher): void {
  watcher = next;
}

const BASE = "/api/v1";

export function address(path: string, query?: Query): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== null && value !== undefined && value !== "") search.set(name, String(value));
  }
  const text = search.toString();
  return `${BASE}${path}${text === "" ? "" : `?${text}`}`;
}

export async function call<T>(method: string, path: string, options: Options = {}): Promise<T> {
  const headers = new Headers({ Accept: "application/json" });
  if (options.body !== undefined) headers.set("Content-Type", "application/json");
  if (options.ifMatch !== undefined) headers.set("If-Match", `"${String(options.ifMatch)}"`);
  if (options.idempotencyKey !== undefined) headers.set("Idempotency-Key", options.idempotencyKey);
  let response: Response;
  try {
    response = await fetch(address(path, options.query), {
      method,
      headers,
      body: options.body === undefined ? null : JSON.stringify(options.body),
      signal: options.signal ?? null,
      cache: "no-store",
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    watcher?.missed();
    throw new Unreachable(error);
  }
  if (isAway(response.status)) {
    watcher?.missed();
    throw new Unreachable();
  }
  watcher?.reached();
  if (!response.ok) {
    if (response.status === 401 && path !== "/session") watcher?.signedOut();
    throw await refusal(response);
  }
  return (response.status === 204 ? undefined : await response.json()) as T;
}
