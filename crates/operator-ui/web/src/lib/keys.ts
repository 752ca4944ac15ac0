// Reading keys: single letters, `Ctrl+K`, and sequences that begin with `g`.

export interface KeyLike {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
  /** Where the key sits, as on a Latin keyboard: `KeyJ`, `Digit1`. */
  code: string;
}

const LATIN = /^[a-z]$/;

/**
 * Name of a key press. Letters go by their place on the keyboard when the layout is not Latin, so that `j` works on a
 * Russian one; signs go by what they write.
 */
export function keyName(event: KeyLike): string {
  let name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.key.length === 1 && !LATIN.test(name) && event.code.startsWith("Key") && /\p{L}/u.test(name)) {
    name = event.code.slice(3).toLowerCase();
  }
  return event.ctrlKey || event.metaKey ? `Ctrl+${name}` : name;
}

/** Follows sequences: feed it key names, it gives back the full one ("g i") or null while waiting for the second. */
export class Sequence {
  #first: string | null = null;
  #at = 0;

  feed(name: string, now: number): string | null {
    const first = now - this.#at < 1500 ? this.#first : null;
    this.#first = null;
    if (first !== null) return `${first} ${name}`;
    if (name === "g") {
      this.#first = name;
      this.#at = now;
      return null;
    }
    return name;
  }
}

export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName);
}
