import { describe, expect, it } from "vitest";
import type { Me, TicketRow } from "../api/types";
import { belongs, countFilters, NO_FILTERS, readFilters, ticketQuery, writeFilters } from "./filters";

const me: Me = {
  id: "opr_ann",
  name: "Ann",
  email: "ann@example.org",
  role: "line1",
  line: 1,
  locale: null,
  permissions: [],
};

const row: TicketRow = {
  number: 10482,
  subject: "Coupling stuck",
  status: "open",
  priority: "high",
  line: 1,
  queue: { id: "que_machines", name: "Machines" },
  assignee: null,
  requester: { name: "Ilya" },
  channel: "web_form",
  tags: ["coupling"],
  created_at: "2026-11-21T09:12:00Z",
  updated_at: "2026-11-21T09:12:00Z",
  last_message_at: "2026-11-21T09:12:00Z",
  unread: true,
  version: 1,
};

describe("filters in the address", () => {
  it("are nothing when nothing differs from the usual", () => {
    expect(writeFilters(NO_FILTERS)).toBe("");
    expect(readFilters("")).toEqual(NO_FILTERS);
  });

  it("come back as they were written", () => {
    const filters = {
      ...NO_FILTERS,
      status: ["open", "resolved"] as const,
      priority: "high" as const,
      assignee: "me",
      tag: "два слова",
      sort: "priority" as const,
      dir: "asc" as const,
    };
    expect(readFilters(writeFilters(filters))).toEqual(filters);
    expect(writeFilters(filters)).toContain("status=open,resolved");
  });

  it("leave out what is unknown rather than break", () => {
    expect(readFilters("?status=open,exploded&priority=huge&sort=due&dir=up")).toEqual({
      ...NO_FILTERS,
      status: ["open"],
    });
  });

  it("are counted one per kind", () => {
    expect(countFilters(readFilters("?status=open,new&tag=a&sort=created"))).toBe(2);
  });

  it("ask the service for every status only when all are wanted", () => {
    expect(ticketQuery("line1", NO_FILTERS)).toEqual({ view: "line1", sort: "updated", dir: "desc" });
    expect(ticketQuery("line1", readFilters("?status=any")).status).toContain("closed");
  });
});

describe("a changed ticket", () => {
  it("stays in a list that it fits", () => {
    expect(belongs(row, "line1", NO_FILTERS, me)).toBe(true);
    expect(belongs(row, "inbox", NO_FILTERS, me)).toBe(true);
  });

  it("leaves when it is done, taken, handed over or filtered out", () => {
    expect(belongs({ ...row, status: "resolved" }, "line1", NO_FILTERS, me)).toBe(false);
    expect(belongs({ ...row, assignee: { id: "opr_bob", name: "Bob", initials: "B" } }, "inbox", NO_FILTERS, me)).toBe(
      false,
    );
    expect(belongs({ ...row, line: 2 }, "line1", NO_FILTERS, me)).toBe(false);
    expect(belongs(row, "line1", readFilters("?priority=low"), me)).toBe(false);
    expect(belongs(row, "line1", readFilters("?assignee=me"), me)).toBe(false);
    expect(belongs(row, "mine", NO_FILTERS, me)).toBe(false);
  });

  it("never leaves the list of everything", () => {
    expect(belongs({ ...row, status: "closed", line: 3 }, "all", NO_FILTERS, me)).toBe(true);
  });
});
