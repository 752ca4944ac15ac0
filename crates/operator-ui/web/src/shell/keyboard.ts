import { isTyping, keyName, Sequence } from "../lib/keys";
import { screen } from "../state/screen.svelte";
import { commands } from "./commands";

const sequence = new Sequence();

/** Whether the focused thing has its own use for a plain key: a button for Enter, a menu for letters. */
function ownsKey(target: EventTarget | null, name: string): boolean {
  if (!(target instanceof Element)) return false;
  if (target.closest("[role=menu], [role=dialog], [data-select-content]") !== null) return true;
  if (name !== "Enter") return false;
  return target.closest("button, a[href]:not([role=option]), [role=tab], summary") !== null;
}

/** One listener for the whole page. */
export function onKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing || event.altKey) return;
  const base = keyName(event);
  const name = event.shiftKey && /^[a-z]$/.test(base) ? `Shift+${base}` : base;
  if (name === "Ctrl+k") {
    event.preventDefault();
    screen.palette = screen.palette === null ? "all" : null;
    return;
  }
  if (screen.covered || event.ctrlKey || event.metaKey || isTyping(event.target) || ownsKey(event.target, name)) return;
  const full = sequence.feed(name, event.timeStamp);
  const command = full === null ? undefined : commands().find(({ keys, can }) => can && keys.includes(full));
  if (command === undefined) return;
  event.preventDefault();
  command.run();
}
