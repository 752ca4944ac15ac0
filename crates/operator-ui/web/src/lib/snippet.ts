export interface Piece {
  text: string;
  hit: boolean;
}

const ENTITIES: Record<string, string> = {
  "&lt;": "<",
  "&gt;": ">",
  "&amp;": "&",
  "&quot;": '"',
  "&#39;": "'",
  "&#x27;": "'",
  "&#x2F;": "/",
};

function plain(html: string): string {
  return html.replace(/&(?:lt|gt|amp|quot|#39|#x27|#x2F);/g, (entity) => ENTITIES[entity] ?? entity);
}

/** A search snippet as pieces of plain text: `<mark>` is the only element that it may have; all else is text. */
export function pieces(snippet: string): Piece[] {
  return snippet
    .split(/(<mark>.*?<\/mark>)/s)
    .filter((part) => part !== "")
    .map((part) => {
      const hit = /^<mark>(.*?)<\/mark>$/s.exec(part);
      return hit === null ? { text: plain(part), hit: false } : { text: plain(hit[1] ?? ""), hit: true };
    });
}
