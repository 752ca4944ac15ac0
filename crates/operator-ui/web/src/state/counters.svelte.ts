import { type Counters, tickets as api } from "../api";

let counters = $state.raw<Counters | null>(null);

export const counts = {
  get all(): Counters | null {
    return counters;
  },
  async load(): Promise<void> {
    counters = await api.counters().catch(() => counters);
  },
  forget(): void {
    counters = null;
  },
};
