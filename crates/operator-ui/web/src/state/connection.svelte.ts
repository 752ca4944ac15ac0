// Whether the service can be reached. Calls report what they met; while away, one small question is asked again and
// again, more and more slowly.
import { session } from "../api";

let away = $state(!navigator.onLine);
let tries = 0;
let timer: ReturnType<typeof setTimeout> | undefined;
const returns = new Set<() => void>();

export const connection = {
  get away(): boolean {
    return away;
  },
  /** Runs `back` each time the service is there again. */
  onReturn(back: () => void): () => void {
    returns.add(back);
    return () => returns.delete(back);
  },
  reached(): void {
    tries = 0;
    clearTimeout(timer);
    if (!away) return;
    away = false;
    for (const back of returns) back();
  },
  missed(): void {
    away = true;
    clearTimeout(timer);
    timer = setTimeout(ask, Math.min(30_000, 1000 * 2 ** tries) * (0.75 + Math.random() / 2));
    tries += 1;
  },
  tryNow(): void {
    tries = 0;
    ask();
  },
};

function ask(): void {
  // The outcome reaches us through reached() and missed(); a refusal is an answer too.
  session.me().catch(() => undefined);
}

addEventListener("online", () => {
  connection.tryNow();
});
addEventListener("offline", () => {
  connection.missed();
});
