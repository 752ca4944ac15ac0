// Live updates: one event stream, reconnected with growing pauses. After any gap everything on the screen is asked for
// once, so that a missed event leaves no trace.
import { events, type Person } from "../api";
import { connection } from "./connection.svelte";
import { counts } from "./counters.svelte";
import { desk } from "./desk.svelte";
import { lists } from "./lists.svelte";
import { notices } from "./notices.svelte";
import { session } from "./session.svelte";
import { isRecord } from "./storage";

let source: EventSource | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;
let tries = 0;
let gap = false;
const changed = new Set<number>();
let listTimer: ReturnType<typeof setTimeout> | undefined;
let countTimer: ReturnType<typeof setTimeout> | undefined;

function data(event: MessageEvent): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(String(event.data));
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}

function countSoon(): void {
  clearTimeout(countTimer);
  countTimer = setTimeout(() => void counts.load(), 400);
}

function listSoon(): void {
  // Many changes at once are one refresh; a steady stream of them still gets one every second.
  listTimer ??= setTimeout(() => {
    listTimer = undefined;
    const numbers = new Set(changed);
    changed.clear();
    void lists.refresh(numbers);
  }, 700);
}

function onTicket(event: MessageEvent): void {
  const { number, version } = data(event);
  if (typeof number !== "number") return;
  changed.add(number);
  listSoon();
  countSoon();
  // Others that are in memory are asked for again when they are opened.
  const open = desk.current;
  if (open?.number === number && (typeof version !== "number" || version > open.version)) void open.load();
}

function onPresence(event: MessageEvent): void {
  const { number, people } = data(event);
  if (typeof number !== "number" || !Array.isArray(people)) return;
  const others = (people as Person[]).filter(({ id, state }) => id !== session.me?.id && state !== "away");
  desk.setPeople(number, others);
}

function catchUp(): void {
  notices.soon();
  void counts.load();
  void lists.refresh(new Set());
  void desk.current?.load();
}

function connect(): void {
  clearTimeout(timer);
  source?.close();
  const stream = events();
  source = stream;
  stream.addEventListener("open", () => {
    tries = 0;
    connection.reached();
    if (gap) catchUp();
    gap = false;
  });
  stream.addEventListener("ticket", onTicket);
  stream.addEventListener("presence", onPresence);
  stream.addEventListener("oversight", notices.soon);
  stream.addEventListener("reload", catchUp);
  stream.addEventListener("error", () => {
    if (source !== stream) return;
    gap = true;
    stream.close();
    timer = setTimeout(connect, Math.min(30_000, 1000 * 2 ** tries) * (0.75 + Math.random() / 2));
    tries += 1;
    // One broken stream is no lost connection yet (a proxy may have cut it); a second one is asked about.
    if (tries > 1) connection.tryNow();
  });
}

connection.onReturn(() => {
  if (source !== null && source.readyState !== EventSource.OPEN) {
    tries = 0;
    gap = true;
    connect();
  }
});

export const live = {
  start: connect,
  stop(): void {
    clearTimeout(timer);
    source?.close();
    source = null;
  },
};
