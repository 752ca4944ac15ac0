// The only door to the browser's storage. What may be kept: settings, whose screen this is, own unsent words. Never a
// card, never a requester's words.

type Key = "settings" | "me" | `draft.${string}` | `outbox.${string}`;
const PREFIX = "guichet.";

export function keep(key: Key, value: unknown): void {
  try {
    if (value === null) localStorage.removeItem(PREFIX + key);
    else localStorage.setItem(PREFIX + key, JSON.stringify(value));
  } catch {
    // Storage full or closed: the screen goes on without it.
  }
}

export function kept<T>(key: Key, looksRight: (value: unknown) => value is T): T | null {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(PREFIX + key) ?? "null");
    return looksRight(value) ? value : null;
  } catch {
    return null;
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
