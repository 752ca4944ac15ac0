import { sameDay } from "./time";

/** The moment as it is worth writing beside a message: the time today, the day and time this year, else the date. */
export function moment(at: number, now: number, locale: string): string {
  const date = new Date(at);
  const time: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit" };
  if (sameDay(at, now)) return new Intl.DateTimeFormat(locale, time).format(date);
  const thisYear = date.getFullYear() === new Date(now).getFullYear();
  const day: Intl.DateTimeFormatOptions = { day: "numeric", month: "short", ...(!thisYear && { year: "numeric" }) };
  return new Intl.DateTimeFormat(locale, { ...day, ...time }).format(date);
}

export function exact(at: number, locale: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "short" }).format(new Date(at));
}

export function day(iso: string, locale: string): string {
  const date = new Date(iso.length === 10 ? `${iso}T12:00:00` : iso);
  if (Number.isNaN(date.getTime())) return iso;
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium" }).format(date);
}
