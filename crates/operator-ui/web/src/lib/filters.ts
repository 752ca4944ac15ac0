// Filters of a list as they stand in the address, and the question to the service that they make.
import { type Me, PRIORITIES, type Status, STATUSES, type TicketQuery, type TicketRow } from "../api/types";
import type { View } from "./route";

export type Sort = "updated" | "created" | "priority";

export interface Filters {
  /** Empty: what is not done yet. `any`: everything. */
  status: readonly Status[] | "any";
  priority: readonly string[];
  queue: string | null;
  assignee: string | null;
  tag: string | null;
  sort: Sort;
  dir: "asc" | "desc";
}

/** Shown unless the operator asks for more: a list is for work that is left. */
export const UNFINISHED: readonly Status[] = ["new", "open", "waiting_customer", "waiting_third_party"];

export const NO_FILTERS: Filters = {
  status: [],
  priority: [],
  queue: null,
  assignee: null,
  tag: null,
  sort: "updated",
  dir: "desc",
};

const SORTS: readonly Sort[] = ["updated", "created", "priority"];

function listed<T extends string>(text: string | null, known: readonly T[]): T[] {
  const wished = (text ?? "").split(",");
  return known.filter((value) => wished.includes(value));
}

export function readFilters(search: string): Filters {
  const query = new URLSearchParams(search);
  return {
    status: query.get("status") === "any" ? "any" : listed(query.get("status"), STATUSES),
    priority: listed(query.get("priority"), PRIORITIES),
    queue: query.get("queue"),
    assignee: query.get("assignee"),
    tag: query.get("tag"),
    sort: SORTS.find((sort) => sort === query.get("sort")) ?? "updated",
    dir: query.get("dir") === "asc" ? "asc" : "desc",
  };
}

/** The query part of the address, with its question mark; empty when nothing differs from the usual. */
export function writeFilters(filters: Filters): string {
  const query = new URLSearchParams();
  const status = filters.status === "any" ? "any" : filters.status.join(",");
  if (status !== "") query.set("status", status);
  if (filters.priority.length > 0) query.set("priority", filters.priority.join(","));
  for (const name of ["queue", "assignee", "tag"] as const) {
    const value = filters[name];
    if (value !== null && value !== "") query.set(name, value);
  }
  if (filters.sort !== "updated") query.set("sort", filters.sort);
  if (filters.dir !== "desc") query.set("dir", filters.dir);
  // Commas are allowed in a query and are easier to read.
  const text = query.toString().replaceAll("%2C", ",");
  return text === "" ? "" : `?${text}`;
}

export function countFilters(filters: Filters): number {
  const set = [filters.status.length > 0, filters.priority.length > 0, filters.queue, filters.assignee, filters.tag];
  return set.filter((value) => value !== null && value !== false && value !== "").length;
}

export function ticketQuery(view: View, filters: Filters): TicketQuery {
  return {
    view,
    status: filters.status === "any" ? null : (filters.status.length > 0 ? filters.status : UNFINISHED).join(","),
    priority: filters.priority.length > 0 ? filters.priority.join(",") : null,
    queue: filters.queue,
    assignee: filters.assignee,
    tag: filters.tag,
    sort: filters.sort,
    dir: filters.dir,
  };
}

/** Whether a changed ticket still belongs to the list; where only the service can tell, it stays until the next load. */
export function belongs(row: TicketRow, view: View, filters: Filters, me: Me): boolean {
  const statuses = filters.status === "any" ? STATUSES : filters.status.length > 0 ? filters.status : UNFINISHED;
  if (!statuses.includes(row.status)) return false;
  if (filters.priority.length > 0 && !filters.priority.includes(row.priority)) return false;
  if (filters.queue !== null && row.queue?.id !== filters.queue) return false;
  if (filters.tag !== null && !row.tags.includes(filters.tag)) return false;
  const assignee = row.assignee?.id ?? "none";
  if (filters.assignee !== null && assignee !== (filters.assignee === "me" ? me.id : filters.assignee)) return false;
  if (view === "mine") return assignee === me.id;
  if (view.startsWith("line")) return row.line === Number(view.slice(4));
  return true;
}
