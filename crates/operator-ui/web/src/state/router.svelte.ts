import { parseRoute, type Route } from "../lib/route";

let path = $state(location.pathname);
let search = $state(location.search);
const route = $derived(parseRoute(path));

function take(): void {
  path = location.pathname;
  search = location.search;
}

addEventListener("popstate", take);

export const router = {
  get path(): string {
    return path;
  },
  get search(): string {
    return search;
  },
  get route(): Route {
    return route;
  },
};

/** Goes to an address of this interface. `replace` where going back should not stop here (typing in a filter). */
export function go(to: string, replace = false): void {
  if (to === location.pathname + location.search) return;
  if (replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  take();
}

/** Plain links stay links (they open in a new tab, they can be copied), and a plain click does not reload the page. */
export function catchLinks(event: MouseEvent): void {
  if (
    event.defaultPrevented ||
    event.button !== 0 ||
    event.ctrlKey ||
    event.metaKey ||
    event.shiftKey ||
    event.altKey
  ) {
    return;
  }
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (link === null || link.target !== "" || link.hasAttribute("download") || link.origin !== location.origin) return;
  if (parseRoute(link.pathname).page === "unknown") return;
  event.preventDefault();
  go(link.pathname + link.search);
}
