/** A size as people read it: kB and MB of 1000, one digit below ten. */
export function size(bytes: number): { n: number; unit: "B" | "kB" | "MB" } {
  if (bytes < 1000) return { n: bytes, unit: "B" };
  const [value, unit] = bytes < 999_500 ? [bytes / 1000, "kB" as const] : [bytes / 1_000_000, "MB" as const];
  return { n: value < 9.95 ? Math.round(value * 10) / 10 : Math.round(value), unit };
}
