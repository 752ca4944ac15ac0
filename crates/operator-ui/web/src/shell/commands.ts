// Everything that can be done from the keyboard, in one list: the keys, the palette and the overlay of keys read it.
import { t } from "../i18n/index.svelte";
import { pathOf, type View } from "../lib/route";
import { desk } from "../state/desk.svelte";
import { lists } from "../state/lists.svelte";
import { go, router } from "../state/router.svelte";
import { screen } from "../state/screen.svelte";
import { session, visibleLines } from "../state/session.svelte";
import { toasts } from "../state/toasts.svelte";

export type Group = "go" | "list" | "ticket" | "app";

export interface Command {
  id: string;
  group: Group;
  /** Key names as lib/keys.ts gives them; the first is shown. */
  keys: readonly string[];
  text: string;
  /** Movement makes no sense in the palette. */
  keysOnly?: boolean;
  can: boolean;
  run: () => void;
}

/** Address of a ticket beside the list that is on the screen, filters kept. */
export function here(number: number | null): string {
  const route = router.route;
  if (route.page === "find") return pathOf("find", number) + router.search;
  if (route.page === "list") return pathOf(route.view, number) + router.search;
  return pathOf("all", number);
}

function openNumber(): number | null {
  const route = router.route;
  return route.page === "list" || route.page === "find" ? route.number : null;
}

function move(by: number): void {
  const rows = lists.current;
  if (rows !== null) rows.cursor = rows.step(rows.cursor ?? openNumber(), by)?.number ?? null;
}

function openNext(by: number): void {
  const rows = lists.current;
  const next = rows?.step(openNumber(), by);
  if (rows && next && next.number !== openNumber()) {
    rows.cursor = next.number;
    go(here(next.number), openNumber() !== null);
  }
}

function back(): void {
  if (screen.drawer) screen.drawer = false;
  else if (lists.current !== null && lists.current.marked.size > 0) lists.current.unmark();
  else if (openNumber() !== null) go(here(null));
}

export function focusSearch(): void {
  if (router.route.page === "find") document.getElementById("find-words")?.focus();
  else go("/find");
}

export function commands(): Command[] {
  const me = session.me;
  const rows = lists.current;
  const cursor = rows?.cursor ?? null;
  const ticket = desk.current?.ticket ?? null;
  const onTicket = ticket !== null;
  const onList = rows !== null;
  const view = (name: View, keys: string): Command => ({
    id: `go-${name}`,
    group: "go",
    keys: [keys],
    text: t("command.go", { place: t(`view.${name}`) }),
    can: true,
    run: () => {
      go(pathOf(name, null));
    },
  });
  const palette = (page: NonNullable<typeof screen.palette>, keys: string[], text: string): Command => ({
    id: `set-${page}`,
    group: "ticket",
    keys,
    text,
    can: onTicket,
    run: () => {
      screen.palette = page;
    },
  });
  const simple = (id: string, group: Group, keys: string[], text: string, can: boolean, run: () => void): Command => ({
    id,
    group,
    keys,
    text,
    can,
    run,
  });
  const moving = (id: string, keys: string[], text: string, run: () => void): Command => ({
    ...simple(id, "list", keys, text, onList, run),
    keysOnly: true,
  });

  return [
    moving("down", ["j"], t("command.down"), () => {
      move(1);
    }),
    moving("up", ["k"], t("command.up"), () => {
      move(-1);
    }),
    moving("open", ["Enter", "o"], t("command.open"), () => {
      if (cursor !== null) go(here(cursor));
    }),
    moving("mark", ["x"], t("command.mark"), () => {
      const number = cursor ?? openNumber();
      if (number !== null) rows?.mark(number);
    }),
    moving("next", ["]"], t("command.next"), () => {
      openNext(1);
    }),
    moving("previous", ["["], t("command.previous"), () => {
      openNext(-1);
    }),
    { ...simple("back", "list", ["Escape"], t("command.back"), true, back), keysOnly: true },
    simple("answer", "ticket", ["r"], t("command.answer"), onTicket, () => {
      screen.write("answer");
    }),
    simple("note", "ticket", ["n"], t("command.note"), onTicket, () => {
      screen.write("note");
    }),
    palette("assignee", ["a"], t("command.assign")),
    simple("take", "ticket", ["Shift+a"], t("command.take"), onTicket && ticket.assignee?.id !== me?.id, () => {
      if (me) void desk.current?.assign({ id: me.id, name: me.name, initials: "" });
    }),
    palette("status", ["s"], t("command.status")),
    palette("priority", ["p"], t("command.priority")),
    palette("queue", ["q"], t("command.queue")),
    palette("tags", ["t"], t("command.tag")),
    simple("hand-over", "ticket", ["l"], t("command.handover"), onTicket, () => {
      screen.dialog = "handover";
    }),
    simple("side", "ticket", ["i"], t("side.open"), onTicket && screen.width !== "wide", () => {
      screen.drawer = !screen.drawer;
    }),
    view("inbox", "g i"),
    view("mine", "g m"),
    ...(me === null ? [] : visibleLines(me).map((line) => view(`line${line}`, `g ${String(line)}`))),
    view("all", "g a"),
    simple("find", "go", ["/"], t("view.find"), true, focusSearch),
    simple("new", "app", ["c"], t("new.title"), true, () => {
      screen.dialog = "new";
    }),
    simple("palette", "app", ["Ctrl+k"], t("command.palette"), true, () => {
      screen.palette = "all";
    }),
    simple("undo", "app", ["z"], t("undo"), true, toasts.undo),
    simple("keys", "app", ["?"], t("keys.title"), true, () => {
      screen.dialog = "keys";
    }),
    simple("settings", "app", [","], t("settings"), true, () => {
      screen.dialog = "settings";
    }),
    simple("password", "app", [], t("password.title"), true, () => {
      screen.dialog = "password";
    }),
    simple("sign-out", "app", [], t("sign_out"), true, () => void session.signOut()),
  ];
}

const SHOWN: Record<string, string> = { Escape: "Esc", "Ctrl+k": "Ctrl K", "Shift+a": "⇧ a" };

/** A key name as it is written for people. */
export function shownKey(name: string): string {
  return SHOWN[name] ?? name;
}
