// What is open above and beside the work: dialogs, drawers, the composer's mode.
import type { Mode } from "../lib/draft";

export type Dialog = "keys" | "handover" | "new" | "password" | "settings";
/** Pages of the palette: everything, or the choices for one property of the open ticket. */
export type PalettePage = "all" | "status" | "assignee" | "priority" | "queue" | "tags";

const narrow = matchMedia("(max-width: 720px)");
const middle = matchMedia("(max-width: 1180px)");

let width = $state<"phone" | "middle" | "wide">("wide");

function measure(): void {
  width = narrow.matches ? "phone" : middle.matches ? "middle" : "wide";
}

measure();
narrow.addEventListener("change", measure);
middle.addEventListener("change", measure);

class Screen {
  dialog = $state<Dialog | null>(null);
  palette = $state<PalettePage | null>(null);
  /** The side pane as a drawer, below the width at which it has a column of its own. */
  drawer = $state(false);
  mode = $state<Mode>("answer");
  /** Counts up when the composer is to take the focus. */
  writeRequests = $state(0);

  get width(): "phone" | "middle" | "wide" {
    return width;
  }

  /** Something lies above the work and takes the keys. */
  get covered(): boolean {
    return this.dialog !== null || this.palette !== null;
  }

  write(mode: Mode): void {
    this.mode = mode;
    this.writeRequests += 1;
  }
}

export const screen = new Screen();
