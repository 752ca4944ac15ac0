// Filters of a list as they stand in the address, and the question to the service that they make.
import {
  type Me,
  PRIORITIES,
  type Priority,
  type Status,
  STATUSES,
  type TicketQuery,
  type TicketRow,
} from "../api/types";
import type { View } from "./route";

export type Sort = "updated" | "created" | "priority";

export interface Filters {
  /** Empty: what the view is for, which is work that is left (and in `all`, everything). `any`: done work too. */
  status: readonly Status[] | "any";
  priority: Priority | null;
  queue: string | null;
  assignee: string | null;
  tag: string | null;
  sort: Sort;
  dir: "asc" | "desc";
}

/** What the service lists in a view unless it is asked for a status. */
const UNFINISHED: readonly Status[] = ["new", "open", "waiting_customer", "waiting_third_party"];

export const NO_FILTERS: Filters = {
  status: [],
  priority: null,
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
    priority: PRIORITIES.find((priority) => priority === query.get("priority")) ?? null,
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
  for (const name of ["priority", "queue", "assignee", "tag"] as const) {
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
  const set = [filters.status.length > 0, filters.priority, filters.queue, filters.assignee, filters.tag];
  return set.filter((value) => value !== null && value !== false && value !== "").length;
}

export function ticketQuery(view: View, filters: Filters): TicketQuery {
  const status = (filters.status === "any" ? STATUSES : filters.status).join(",");
  return {
    view,
    sort: filters.sort,
    dir: filters.dir,
    ...(status !== "" && { status }),
    ...(filters.priority !== null && { priority: filters.priority }),
    ...(filters.queue !== null && { queue: filters.queue }),
    ...(filters.assignee !== null && { assignee: filters.assignee }),
    ...(filters.tag !== null && { tag: filters.tag }),
  };
}

/** Whether a changed ticket still belongs to the list; where only the service can tell, it stays until the next load. */
export function belongs(row: Omit<TicketRow, "unread">, view: View, filters: Filters, me: Me): boolean {
  const usual = view === "all" ? STATUSES : UNFINISHED;
  const statuses = filters.status === "any" ? STATUSES : filters.status.length > 0 ? filters.status : usual;
  if (!statuses.includes(row.status)) return false;
  if (filters.priority !== null && row.priority !== filters.priority) return false;
  if (filters.queue !== null && row.queue.id !== filters.queue) return false;
  if (filters.tag !== null && !row.tags.includes(filters.tag)) return false;
  const assignee = row.assignee?.id ?? "none";
  if (filters.assignee !== null && assignee !== (filters.assignee === "me" ? me.id : filters.assignee)) return false;
  if (view === "mine") return assignee === me.id;
  if (view === "inbox") return filters.assignee !== null || assignee === "none";
  if (view.startsWith("line")) return row.line === Number(view.slice(4));
  return true;
}
