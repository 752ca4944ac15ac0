// The customer card of the ticket on the desk. It lives in this object only, and the object lives as long as the ticket
// is open: nothing of a card is ever cached, stored or put into an address.
import { said } from "../i18n/said";
import { type CardAnswer, type Ground, type CardValue, type CustomerLink, customer as api, Refused } from "../api";

export type CardState =
  | CardAnswer
  | { state: "loading" }
  | { state: "budget" | "glass_spent"; until: number | null }
  | { state: "failed"; sentence: string | null };

/** Why there is no card: the operator's viewing budget is a state of its own, the rest is trouble. */
function trouble(error: unknown): CardState {
  if (error instanceof Refused && error.status === 429) {
    const until = error.wait === null ? null : Date.now() + error.wait * 1000;
    const glass = error.fields.some(({ message }) => message === "break_glass_spent");
    return { state: glass ? "glass_spent" : "budget", until };
  }
  return { state: "failed", sentence: error instanceof Refused ? said(error) : null };
}

export class Card {
  readonly #number: number;
  #abort = new AbortController();
  #link: CustomerLink | null = null;
  #changing = false;
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

  /** Told how far the ticket's customer is known; asks again when that has changed without our doing. */
  follow(link: CustomerLink): void {
    const changed = this.#link !== null && this.#link !== link;
    this.#link = link;
    if (changed && !this.#changing) void this.load();
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

  /** Shows the card beyond the budget. What was refused is thrown, so that the reason stays on the screen. */
  async breakGlass(ground: Ground, reason: string): Promise<void> {
    try {
      this.#state = await api.breakGlass(this.#number, { ground, reason });
    } catch (error) {
      if (!(error instanceof Refused && error.status === 429)) throw error;
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
      this.refused = { key, sentence: said(error) };
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

  async #change(step: () => Promise<{ customer: { state: CustomerLink } }>): Promise<void> {
    this.#changing = true;
    this.#shown = {};
    this.#state = { state: "loading" };
    try {
      this.#link = (await step()).customer.state;
      await this.load();
    } catch (error) {
      this.#state = trouble(error);
    } finally {
      this.#changing = false;
    }
  }

  /** Forgets everything; called when the ticket leaves the desk. */
  drop(): void {
    this.#abort.abort();
    this.#state = { state: "loading" };
    this.#shown = {};
  }
}
