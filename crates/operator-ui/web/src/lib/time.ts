const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export type Age = { unit: "now" } | { unit: "minutes" | "hours" | "days"; n: number } | { unit: "date" };

/** How long ago, in the coarsest unit that still says something; a clock that runs ahead counts as now. */
export function age(at: number, now: number): Age {
  const ms = now - at;
  if (ms < MINUTE) return { unit: "now" };
  if (ms < HOUR) return { unit: "minutes", n: Math.floor(ms / MINUTE) };
  if (ms < DAY) return { unit: "hours", n: Math.floor(ms / HOUR) };
  if (ms < 7 * DAY) return { unit: "days", n: Math.floor(ms / DAY) };
  return { unit: "date" };
}

export function sameDay(a: number, b: number): boolean {
  return new Date(a).toDateString() === new Date(b).toDateString();
}
