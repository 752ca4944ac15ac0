// What supervisors are to know: how much is open, for the badge in the menu, and a word when something new comes.
import { type Notice, oversight as api } from "../api";
import { t, tOr } from "../i18n/index.svelte";
import { isSupervisor, session } from "./session.svelte";
import { toasts } from "./toasts.svelte";

/** Several events at once are one question. */
const PAUSE_MS = 400;
let open = $state.raw<readonly Notice[]>([]);
let count = $state(0);
/** Counts up with every answer, for a page that shows more than what is open. */
let version = $state(0);
let newest: string | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;

async function load(): Promise<void> {
  if (!isSupervisor(session.me)) return;
  const page = await api.notices(true, null).catch(() => null);
  if (page === null) return;
  const first = page.items[0];
  if (newest !== null && first !== undefined && first.id > newest) toasts.say(headline(first));
  // With nothing open, whatever comes next is new.
  newest = first === undefined ? (newest ?? "") : newest === null || first.id > newest ? first.id : newest;
  open = page.items;
  count = page.open;
  version += 1;
}

/** An audit log failed its daily check: nobody did it, and nothing is counted. */
export function isOfAudit(notice: Notice): boolean {
  return notice.about === "bridge_audit_failed" || notice.about === "ticket_audit_failed";
}

/** Who it is about; where there is nobody, how it came up. */
export function whose(notice: Notice): string {
  return notice.by?.name ?? t(isOfAudit(notice) ? "oversight.check" : "oversight.form");
}

export function headline(notice: Notice): string {
  const name = whose(notice);
  return t("oversight.new", { name, what: tOr("notice", notice.about) });
}

export const notices = {
  get open(): readonly Notice[] {
    return open;
  },
  get count(): number {
    return count;
  },
  get version(): number {
    return version;
  },
  load,
  soon(): void {
    clearTimeout(timer);
    timer = setTimeout(() => void load(), PAUSE_MS);
  },
  forget(): void {
    clearTimeout(timer);
    open = [];
    count = 0;
    newest = null;
  },
};
