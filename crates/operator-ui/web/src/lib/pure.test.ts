import { describe, expect, it } from "vitest";
import type { Attachment, HistoryEvent, Ticket, TicketRow } from "../api/types";
import { size } from "./bytes";
import { clashes } from "./conflict";
import { emptyDraft, isEmpty, newKey, type Outgoing, takeBack } from "./draft";
import { fitting, score } from "./fit";
import { inTalk, says } from "./history";
import { keyName, type KeyLike, Sequence } from "./keys";
import { mergeHead, replaceRow } from "./merge";
import { pieces } from "./snippet";
import { age } from "./time";
import { reveal, visible } from "./window";

describe("an age", () => {
  const now = Date.parse("2026-11-21T12:00:00Z");
  it.each([
    ["2026-11-21T11:59:30Z", { unit: "now" }],
    ["2026-11-21T12:03:00Z", { unit: "now" }],
    ["2026-11-21T11:56:00Z", { unit: "minutes", n: 4 }],
    ["2026-11-21T09:30:00Z", { unit: "hours", n: 2 }],
    ["2026-11-18T12:00:00Z", { unit: "days", n: 3 }],
    ["2026-10-01T12:00:00Z", { unit: "date" }],
  ])("of %s is told in the coarsest unit", (at, expected) => {
    expect(age(Date.parse(at), now)).toEqual(expected);
  });
});

describe("a size", () => {
  it("has one digit below ten and none above", () => {
    expect(size(999)).toEqual({ n: 999, unit: "B" });
    expect(size(1234)).toEqual({ n: 1.2, unit: "kB" });
    expect(size(48_123)).toEqual({ n: 48, unit: "kB" });
    expect(size(999_900)).toEqual({ n: 1, unit: "MB" });
  });
});

describe("the window of a long list", () => {
  it("draws what is in view and a few rows more", () => {
    expect(visible(0, 610, 61, 1000, 8)).toEqual({ from: 0, to: 18 });
    expect(visible(6100, 610, 61, 1000, 8)).toEqual({ from: 92, to: 118 });
    expect(visible(0, 610, 61, 3)).toEqual({ from: 0, to: 3 });
    expect(visible(9999, 610, 61, 3).from).toBe(3);
  });

  it("moves as little as possible", () => {
    expect(reveal(100, 600, 60, 4)).toBe(100);
    expect(reveal(100, 600, 60, 0)).toBe(0);
    expect(reveal(0, 600, 60, 20)).toBe(660);
  });
});

const row = (number: number): TicketRow => ({ number }) as TicketRow;
const numbers = (rows: readonly TicketRow[]) => rows.map(({ number }) => number);

describe("a refreshed head", () => {
  it("replaces a list that is not longer", () => {
    expect(numbers(mergeHead([row(1), row(2)], [row(3), row(1), row(2)]))).toEqual([3, 1, 2]);
  });

  it("keeps what stands below and shows nothing twice", () => {
    const rows = [5, 4, 3, 2, 1].map(row);
    expect(numbers(mergeHead(rows, [2, 5].map(row)))).toEqual([2, 5, 3, 1]);
  });

  it("changes one row in place", () => {
    expect(replaceRow([row(1), row(2)], { number: 2, subject: "new" })[1]).toEqual({ number: 2, subject: "new" });
  });
});

describe("a snippet", () => {
  it("is text with hits, and never HTML", () => {
    expect(pieces("a &lt;b&gt; <mark>print&amp;er</mark> <i>x</i>")).toEqual([
      { text: "a <b> ", hit: false },
      { text: "print&er", hit: true },
      { text: " <i>x</i>", hit: false },
    ]);
  });

  it("undoes one layer of escaping only", () => {
    expect(pieces("&amp;lt;script&amp;gt;")).toEqual([{ text: "&lt;script&gt;", hit: false }]);
  });
});

describe("keys", () => {
  const press = (key: string, more: Partial<KeyLike> = {}): KeyLike => ({
    key,
    code: "",
    ctrlKey: false,
    metaKey: false,
    altKey: false,
    shiftKey: false,
    ...more,
  });

  it("have the same names with Ctrl and with Cmd", () => {
    expect(keyName(press("k", { metaKey: true }))).toBe("Ctrl+k");
    expect(keyName(press("k", { ctrlKey: true }))).toBe("Ctrl+k");
  });

  it("work on a Russian keyboard", () => {
    expect(keyName(press("о", { code: "KeyJ" }))).toBe("j");
    expect(keyName(press("?", { code: "Slash", shiftKey: true }))).toBe("?");
  });

  it("follow the layout where it is Latin", () => {
    expect(keyName(press("a", { code: "KeyQ" }))).toBe("a");
  });

  it("make sequences, and forget a first key that is left alone", () => {
    const sequence = new Sequence();
    expect(sequence.feed("g", 0)).toBeNull();
    expect(sequence.feed("i", 500)).toBe("g i");
    expect(sequence.feed("g", 1000)).toBeNull();
    expect(sequence.feed("j", 9000)).toBe("j");
  });
});

describe("a draft", () => {
  const file: Attachment = { id: "att_1", name: "log.txt", media_type: "text/plain", bytes: 3 };
  const outgoing: Outgoing = {
    key: "k",
    number: 1,
    kind: "answer",
    text: "First",
    attachments: [file],
    thenStatus: null,
    seenMessage: null,
    at: 0,
  };

  it("is empty without words and files", () => {
    expect(isEmpty(emptyDraft())).toBe(true);
    expect(isEmpty({ ...emptyDraft(), text: " \n" })).toBe(true);
    expect(isEmpty({ ...emptyDraft(), attachments: [file] })).toBe(false);
  });

  it("gets a refused message back, above what was typed meanwhile, under a new key", () => {
    const back = takeBack(outgoing, { text: "Second", attachments: [file], key: "x" });
    expect(back.text).toBe("First\n\nSecond");
    expect(back.attachments).toEqual([file]);
    expect(back.key).not.toBe("k");
    expect(takeBack(outgoing, emptyDraft()).text).toBe("First");
  });

  it("has a key that nobody guesses", () => {
    expect(newKey()).toMatch(/^[0-9a-f]{32}$/);
    expect(newKey()).not.toBe(newKey());
  });
});

describe("a conflict", () => {
  const ticket = {
    status: "open",
    priority: "normal",
    subject: "S",
    queue: { id: "que_1", name: "Q" },
    assignee: null,
    tags: ["a", "b"],
  } as unknown as Ticket;

  it("is only about fields that both changed", () => {
    const theirs: Ticket = { ...ticket, priority: "high", tags: ["b", "a"] };
    expect(clashes({ status: "resolved" }, ticket, theirs)).toEqual([]);
    expect(clashes({ priority: "low", tags: ["c"] }, ticket, theirs)).toEqual(["priority"]);
    expect(
      clashes({ assignee_id: null }, ticket, { ...ticket, assignee: { id: "o", name: "O", initials: "O" } }),
    ).toEqual(["assignee"]);
  });
});

describe("the palette", () => {
  it("finds all words in any order, beginnings first, without accents", () => {
    expect(score("Set the status", "sta set")).toBeGreaterThan(0);
    expect(score("Set the status", "queue")).toBe(0);
    expect(score("Entrée", "entree")).toBeGreaterThan(0);
    const found = fitting([{ text: "Reassign" }, { text: "Assign" }, { text: "Tag" }], "assign");
    expect(found.map(({ text }) => text)).toEqual(["Assign", "Reassign"]);
  });
});

describe("history", () => {
  const event = (kind: string, changes: HistoryEvent["changes"] = []): HistoryEvent => ({
    id: "evt_1",
    at: "2026-11-21T12:00:00Z",
    actor: { kind: "operator", name: "Ann Koval" },
    kind,
    changes,
    note: null,
  });

  it("says who took a ticket and who was given one", () => {
    const to = (name: string | null) => says(event("changed", [{ field: "assignee", from: null, to: name }]))[0]?.key;
    expect(to("Ann Koval")).toBe("history.took");
    expect(to("Boris")).toBe("history.assigned");
    expect(to(null)).toBe("history.unassigned");
  });

  it("tells a hand-over as one thing", () => {
    const handed = event("handed_over", [
      { field: "line", from: "1", to: "2" },
      { field: "assignee", from: "Ann Koval", to: null },
    ]);
    expect(says(handed).map(({ key, to }) => [key, to])).toEqual([["history.handed", "2"]]);
    expect(inTalk(handed)).toBe(true);
  });

  it("has words for kinds that come later", () => {
    expect(says(event("merged"))).toEqual([{ key: "history.other", field: "merged", from: "", to: "" }]);
  });
});
