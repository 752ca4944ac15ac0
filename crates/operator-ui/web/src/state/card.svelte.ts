// The customer card of the ticket on the desk. It lives in this object only, and the object lives as long as the ticket
// is open: nothing of a card is ever cached, stored or put into an address.
import { type CardAnswer, type CardValue, customer as api, Refused } from "../api";

export type CardState = CardAnswer | { state: "loading" | "budget" } | { state: "failed"; sentence: string | null };

/** Why there is no card: the operator's viewing budget is a state of its own, the rest is trouble. */
function trouble(error: unknown): CardState {
  if (error instanceof Refused && error.status === 429) return { state: "budget" };
  return { state: "failed", sentence: error instanceof Refused ? error.sentence : null };
}

export class Card {
  readonly #number: number;
  #abort = new AbortController();
  #state = $state.raw<CardState>({ state: "loading" });
  #shown = $state.raw<Readonly<Record<string, CardValue>>>({});
  /** Key of the field that is being revealed, or that could not be. */
  revealing = $state<string | null>(null);
  refused = $state<{ key: string; sentence: string } | null>(null);

  constructor(number: number) {
    this.#number = number;
    void this.load();
  }

  get state(): CardState {
    return this.#state;
  }

  /** A value revealed on the record, while this ticket stays open. */
  shown(key: string): CardValue | null {
    return this.#shown[key] ?? null;
  }

  async load(): Promise<void> {
    this.#abort.abort();
    const abort = new AbortController();
    this.#abort = abort;
    try {
      const answer = await api.card(this.#number, abort.signal);
      if (!abort.signal.aborted) this.#state = answer;
    } catch (error) {
      if (abort.signal.aborted) return;
      this.#state = trouble(error);
    }
  }

  async reveal(key: string): Promise<void> {
    this.revealing = key;
    this.refused = null;
    try {
      const { field } = await api.reveal(this.#number, key);
      this.#shown = { ...this.#shown, [key]: field.value };
    } catch (error) {
      this.refused = { key, sentence: error instanceof Refused ? error.sentence : "" };
    } finally {
      this.revealing = null;
    }
  }

  async choose(reference: string): Promise<void> {
    await this.#change(() => api.choose(this.#number, reference));
  }

  async unlink(): Promise<void> {
    await this.#change(() => api.unlink(this.#number));
  }

  async lookUp(by: { email?: string; phone?: string }): Promise<void> {
    await this.#change(() => api.lookUp(this.#number, by));
  }

  async #change(step: () => Promise<unknown>): Promise<void> {
    this.#shown = {};
    this.#state = { state: "loading" };
    try {
      await step();
      await this.load();
    } catch (error) {
      this.#state = trouble(error);
    }
  }

  /** Forgets everything; called when the ticket leaves the desk. */
  drop(): void {
    this.#abort.abort();
    this.#state = { state: "loading" };
    this.#shown = {};
  }
}
