// The message catalogue. `t(key, arguments)` re-renders whoever calls it when the language changes.
import type english from "../../locales/en.json";
import { type Arguments, type Compiled, format, helpers } from "./format";

export type MessageKey = keyof typeof english;
export type Locale = "en" | "ru";

export const LOCALES: readonly { id: Locale; name: string }[] = [
  { id: "en", name: "English" },
  { id: "ru", name: "Русский" },
];

const catalogues: Record<Locale, () => Promise<{ default: Record<string, Compiled> }>> = {
  en: () => import("../../locales/en.json?icu"),
  ru: () => import("../../locales/ru.json?icu"),
};

interface Catalogue {
  locale: Locale;
  /** The same language as the browser's region writes it: `en` alone would mean American times and dates. */
  region: string;
  messages: Record<string, Compiled>;
  help: ReturnType<typeof helpers>;
}

let catalogue = $state.raw<Catalogue>({ locale: "en", region: "en-GB", messages: {}, help: helpers("en") });

/** A language that we have for what the account or the browser asks for. */
export function nearest(wished: readonly string[]): Locale {
  for (const tag of wished) {
    const found = LOCALES.find(({ id }) => tag.toLowerCase().split("-")[0] === id);
    if (found !== undefined) return found.id;
  }
  return "en";
}

export async function speak(locale: Locale): Promise<void> {
  const { default: messages } = await catalogues[locale]();
  const region =
    navigator.languages.find((tag) => tag.startsWith(`${locale}-`)) ?? (locale === "en" ? "en-GB" : locale);
  catalogue = { locale, region, messages, help: helpers(region) };
  document.documentElement.lang = locale;
  document.documentElement.dir = "ltr";
}

export function locale(): Locale {
  return catalogue.locale;
}

/** For dates and numbers. */
export function region(): string {
  return catalogue.region;
}

export function t(key: MessageKey, args: Arguments = {}): string {
  const message = catalogue.messages[key];
  return message === undefined ? key : format(message, args, catalogue.help);
}

/** For keys that end in a value of the service: an unknown value shows itself rather than nothing. */
export function tOr(prefix: string, value: string, args: Arguments = {}): string {
  const message = catalogue.messages[`${prefix}.${value}`];
  return message === undefined ? value.replaceAll("_", " ") : format(message, args, catalogue.help);
}
