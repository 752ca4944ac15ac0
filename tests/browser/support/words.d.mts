type Language = "en" | "ru";

/** A message without places to fill in. */
export function say(key: string, language?: Language): string;

/** A message with its places filled in; what is not given may be anything. */
export function like(key: string, values?: Record<string, string | number>, language?: Language): RegExp;
