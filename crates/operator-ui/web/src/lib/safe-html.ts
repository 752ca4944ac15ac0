// A message's HTML comes sanitised from the service. It is still not trusted here: it is parsed in a document that runs
// nothing, and only listed elements and attributes are built anew for the screen. A second lock on the same door.

const KEEP = new Set(
  "a abbr b blockquote br code dd del div dl dt em h1 h2 h3 h4 h5 h6 hr i ins kbd li ol p pre q s small span strong sub sup table tbody td tfoot th thead tr u ul".split(
    " ",
  ),
);
/** Dropped with all that is in them; other unknown elements give way to their children. */
const DROP = new Set(
  "script style iframe object embed template noscript svg math form input button select textarea img video audio link meta base head title".split(
    " ",
  ),
);
const DEPTH_MAX = 60;

/** Only addresses that open a page or a mail; never `javascript:`, `data:` or anything unheard of. */
export function safeAddress(text: string): string | null {
  try {
    const url = new URL(text, location.origin);
    return ["http:", "https:", "mailto:", "tel:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

function copy(from: Node, to: Node, depth: number): void {
  for (const child of from.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) {
      to.appendChild(document.createTextNode(child.textContent ?? ""));
      continue;
    }
    if (!(child instanceof Element)) continue;
    const name = child.localName;
    if (DROP.has(name) || depth > DEPTH_MAX) continue;
    if (!KEEP.has(name)) {
      copy(child, to, depth + 1);
      continue;
    }
    // A heading inside a message is no heading of our page.
    const element = document.createElement(/^h[1-6]$/.test(name) ? "p" : name);
    if (name === "a") link(element, child.getAttribute("href"));
    if (name === "td" || name === "th") {
      for (const span of ["colspan", "rowspan"]) {
        const value = child.getAttribute(span);
        if (value !== null && /^\d{1,3}$/.test(value)) element.setAttribute(span, value);
      }
    }
    const dir = child.getAttribute("dir");
    if (dir === "rtl" || dir === "ltr" || dir === "auto") element.setAttribute("dir", dir);
    copy(child, element, depth + 1);
    to.appendChild(element);
  }
}

function link(element: HTMLElement, href: string | null): void {
  const address = href === null ? null : safeAddress(href);
  if (address === null) return;
  element.setAttribute("href", address);
  if (new URL(address).origin !== location.origin) {
    element.setAttribute("target", "_blank");
    element.setAttribute("rel", "noopener noreferrer nofollow");
  }
}

export interface Parts {
  body: DocumentFragment;
  /** What the writer only quoted at the end, to be folded away; null where nothing was quoted. */
  quoted: DocumentFragment | null;
}

/** Trailing quotes, and what mail programs put between and before them. */
function isQuoteOrEmpty(node: ChildNode): boolean {
  if (node.nodeName === "BLOCKQUOTE") return true;
  return (node.textContent ?? "").trim() === "" && node.nodeName !== "HR";
}

/** What to show of a message: its HTML, or its text with the line breaks kept where there is no HTML. */
export function messageParts(html: string | null, text: string): Parts {
  if (html === null) {
    const body = document.createDocumentFragment();
    for (const paragraph of text.split(/\n{2,}/)) {
      const p = document.createElement("p");
      p.append(
        ...paragraph
          .split("\n")
          .flatMap((line, index) => (index === 0 ? [line] : [document.createElement("br"), line])),
      );
      body.append(p);
    }
    return { body, quoted: null };
  }
  const parsed = new DOMParser().parseFromString(html, "text/html");
  const body = document.createDocumentFragment();
  copy(parsed.body, body, 0);
  const quoted = document.createDocumentFragment();
  let sawQuote = false;
  while (body.lastChild !== null && isQuoteOrEmpty(body.lastChild)) {
    sawQuote ||= body.lastChild.nodeName === "BLOCKQUOTE";
    quoted.prepend(body.lastChild);
  }
  // A message that is nothing but a quote is shown as it is.
  if (!sawQuote || body.childNodes.length === 0) {
    body.append(quoted);
    return { body, quoted: null };
  }
  const before = body.lastChild;
  if (before !== null && /^.{0,160}:\s*$/su.test(before.textContent ?? "") && body.childNodes.length > 1) {
    quoted.prepend(before); // "On Monday Ann wrote:"
  }
  return { body, quoted };
}
