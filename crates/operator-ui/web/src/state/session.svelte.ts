import { type Line, LINES, type Me, Refused, session as api } from "../api";
import { speak } from "../i18n/index.svelte";
import { settings } from "./settings.svelte";
import { isRecord, keep, kept } from "./storage";

type State = "starting" | "in" | "out";

function looksLikeMe(value: unknown): value is Me {
  return isRecord(value) && typeof value["id"] === "string" && typeof value["name"] === "string" && "role" in value;
}

// The shell paints at once for whoever was here last; the service's answer corrects it.
const last = kept("me", looksLikeMe);
let me = $state.raw<Me | null>(last);
let state = $state<State>(last === null ? "starting" : "in");
/** The session ended while working: say so on the sign-in page. */
let ended = $state(false);

async function enter(next: Me): Promise<void> {
  me = next;
  state = "in";
  ended = false;
  keep("me", next);
  await speak(settings.startLocale(next.locale));
}

function leave(): void {
  me = null;
  state = "out";
  keep("me", null);
}

export const session = {
  get me(): Me | null {
    return me;
  },
  get state(): State {
    return state;
  },
  get ended(): boolean {
    return ended;
  },
  async start(): Promise<void> {
    try {
      await enter(await api.me());
    } catch (error) {
      // Not reachable: stay with what is known, the connection bar says the rest.
      if (error instanceof Refused || me === null) leave();
    }
  },
  async signIn(email: string, password: string): Promise<void> {
    await enter(await api.signIn(email, password));
  },
  async signOut(): Promise<void> {
    await api.signOut().catch(() => undefined);
    leave();
  },
  /** The service no longer knows us. */
  lost(): void {
    if (state !== "in") return;
    leave();
    ended = true;
  },
};

export function visibleLines(who: Me): readonly Line[] {
  return who.permissions.includes("tickets:all_lines") || who.line === null ? LINES : [who.line];
}

export function isSupervisor(who: Me | null): boolean {
  return who?.role === "supervisor";
}

export function isAdmin(who: Me | null): boolean {
  return who?.permissions.includes("admin") === true;
}
