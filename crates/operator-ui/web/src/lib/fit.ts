// Which entries of a palette fit what was typed.

function fold(text: string): string {
  return text.toLocaleLowerCase().normalize("NFKD").replace(/\p{M}/gu, "");
}

/** 0: does not fit; else the better, the higher: word beginnings before anything inside a word. */
export function score(text: string, words: string): number {
  const asked = fold(words).split(/\s+/u).filter(Boolean);
  const folded = fold(text);
  let sum = 1;
  for (const word of asked) {
    const at = folded.indexOf(word);
    if (at === -1) return 0;
    if (at === 0) sum += 3;
    else sum += /[\s#“«(]/u.test(folded.charAt(at - 1)) ? 2 : 1;
  }
  return sum;
}

/** The fitting entries, best first; equal ones keep their order. */
export function fitting<T extends { text: string }>(entries: readonly T[], words: string): T[] {
  return entries
    .map((entry) => ({ entry, points: score(entry.text, words) }))
    .filter(({ points }) => points > 0)
    .sort((a, b) => b.points - a.points)
    .map(({ entry }) => entry);
}
