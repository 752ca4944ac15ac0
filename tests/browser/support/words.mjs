// The words on the screen, from the interface's own catalogue: a test names a message, not a wording.

import { readFileSync } from "node:fs";

const locale = (name) =>
  JSON.parse(readFileSync(new URL(`../../../crates/operator-ui/web/locales/${name}.json`, import.meta.url), "utf8"));
const CATALOGUES = { en: locale("en"), ru: locale("ru") };

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/gu, "\\$&");

/** A message without places to fill in. */
export function say(key, language = "en") {
  const text = CATALOGUES[language][key];
  if (text === undefined || text.includes("{")) throw new Error(`${key}: ${text ?? "no such message"}`);
  return text;
}

/** A message with its places filled in; what is not given may be anything. */
export function like(key, values = {}, language = "en") {
  const text = CATALOGUES[language][key];
  if (text === undefined || /\{\w+, /u.test(text)) throw new Error(`${key}: ${text ?? "no such message"}`);
  const parts = text.split(/\{(\w+)\}/u);
  const pattern = parts.map((part, place) =>
    place % 2 === 0 ? escaped(part) : values[part] === undefined ? ".+" : escaped(String(values[part])),
  );
  return new RegExp(`^${pattern.join("")}$`, "u");
}
