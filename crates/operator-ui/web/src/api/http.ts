import createClient from "openapi-fetch";
import { isAway, refusal, Unreachable } from "./failure";
import type { paths } from "./schema";
import type { Answer } from "./types";

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

async function watched(request: Request): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(request);
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
  if (response.status === 401 && !request.url.endsWith("/session")) watcher?.signedOut();
  if (!response.ok) throw await refusal(response);
  return response;
}

/** Typed by the service's own description. A refusal is thrown as `Refused`, no connection as `Unreachable`. */
export const client = createClient<paths>({
  baseUrl: location.origin,
  fetch: watched,
  cache: "no-store",
  headers: { Accept: "application/json" },
});

/** What a call that was not refused answered. */
export async function answer<T>(call: Promise<{ data?: T }>): Promise<Answer<T>> {
  return (await call).data as Answer<T>;
}
