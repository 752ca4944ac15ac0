// What an address means. Filters stay in the query, so that a list can be sent to a colleague as it is.

export const VIEWS = ["inbox", "mine", "line1", "line2", "line3", "all"] as const;
export type View = (typeof VIEWS)[number];

export const ADMIN_PAGES = ["operators", "queues", "keys"] as const;
export type AdminPage = (typeof ADMIN_PAGES)[number];

export const OVERSIGHT_PAGES = ["notices", "looks", "budgets", "anomalies"] as const;
export type OversightPage = (typeof OVERSIGHT_PAGES)[number];

export type Route =
  | { page: "list"; view: View; number: number | null }
  | { page: "find"; number: number | null }
  | { page: "admin"; section: AdminPage }
  | { page: "oversight"; section: OversightPage }
  | { page: "unknown" };

function ticketNumber(text: string | undefined): number | null | undefined {
  if (text === undefined || text === "") return null;
  return /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;
}

export function parseRoute(path: string): Route {
  const [first = "", second, ...rest] = path.split("/").slice(1);
  if (rest.length > 0 && rest.some((part) => part !== "")) return { page: "unknown" };
  if (first === "") return { page: "list", view: "inbox", number: null };
  if (first === "admin") {
    const section = ADMIN_PAGES.find((page) => page === (second ?? "operators"));
    return section === undefined ? { page: "unknown" } : { page: "admin", section };
  }
  if (first === "oversight") {
    const section = OVERSIGHT_PAGES.find((page) => page === (second ?? "notices"));
    return section === undefined ? { page: "unknown" } : { page: "oversight", section };
  }
  const number = ticketNumber(second);
  if (number === undefined) return { page: "unknown" };
  if (first === "find") return { page: "find", number };
  if (first === "tickets" && number !== null) return { page: "list", view: "all", number };
  const view = VIEWS.find((name) => name === first);
  return view === undefined ? { page: "unknown" } : { page: "list", view, number };
}

/** Path of a list with or without an open ticket. */
export function pathOf(place: View | "find", number: number | null): string {
  return number === null ? `/${place}` : `/${place}/${String(number)}`;
}
