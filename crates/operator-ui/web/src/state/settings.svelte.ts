import { type Locale, LOCALES, nearest, speak } from "../i18n/index.svelte";
import { isRecord, keep, kept } from "./storage";

export type Theme = "system" | "light" | "dark";
export const THEMES: readonly Theme[] = ["system", "light", "dark"];

interface Kept {
  theme: Theme;
  /** null: as the account or the browser says. */
  locale: Locale | null;
  hints: boolean;
  /** Hints that were read; each is shown once. */
  seen: string[];
}

const stored = kept("settings", isRecord) ?? {};

const state = $state<Kept>({
  theme: THEMES.find((theme) => theme === stored["theme"]) ?? "system",
  locale: LOCALES.find(({ id }) => id === stored["locale"])?.id ?? null,
  hints: stored["hints"] !== false,
  seen: Array.isArray(stored["seen"]) ? stored["seen"].filter((hint) => typeof hint === "string") : [],
});

const dark = matchMedia("(prefers-color-scheme: dark)");

function paint(): void {
  const theme = state.theme === "system" ? (dark.matches ? "dark" : "light") : state.theme;
  document.documentElement.dataset["theme"] = theme;
}

dark.addEventListener("change", paint);

function save(): void {
  keep("settings", $state.snapshot(state));
}

export const settings = {
  get theme(): Theme {
    return state.theme;
  },
  set theme(theme: Theme) {
    state.theme = theme;
    paint();
    save();
  },
  get hints(): boolean {
    return state.hints;
  },
  set hints(hints: boolean) {
    state.hints = hints;
    save();
  },
  hintWanted: (id: string): boolean => state.hints && !state.seen.includes(id),
  hintSeen(id: string): void {
    if (!state.seen.includes(id)) state.seen.push(id);
    save();
  },
  /** The language to start with: chosen here, else the account's, else the browser's. */
  startLocale: (account: string | null): Locale =>
    state.locale ?? nearest(account === null ? navigator.languages : [account, ...navigator.languages]),
  async speak(locale: Locale): Promise<void> {
    await speak(locale);
    state.locale = locale;
    save();
  },
};
