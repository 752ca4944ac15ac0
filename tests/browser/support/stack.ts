// The stack that the global set-up started, and what a test needs to talk to it past the screen.

export interface Person {
  name: string;
  email: string;
  password: string;
  role: string;
}

export interface Customer {
  id: string;
  name: string;
  email: string;
  phone: string;
  /** Values that the card shows every role. */
  card: string[];
}

interface Stack {
  address: string;
  crm: string;
  key: string;
  people: Record<string, Person>;
  customers: Customer[];
}

export const stack = JSON.parse(process.env["GUICHET_TEST_STACK"] ?? "{}") as Stack;

export function person(name: string): Person {
  const found = stack.people[name];
  if (!found) throw new Error(`there is no ${name}`);
  return found;
}

/** Each test takes customers of its own, so that none finds the tickets of another. */
export function customer(place: number): Customer {
  const found = stack.customers[place];
  if (!found) throw new Error(`there is no customer ${String(place)}`);
  return found;
}

/** A phone number that two customers share. */
export function sharedPhone(): string {
  const phones = stack.customers.map(({ phone }) => phone);
  const shared = phones.find((phone, place) => phones.indexOf(phone) !== place);
  if (shared === undefined) throw new Error("no two customers share a phone");
  return shared;
}

type Json = Record<string, unknown>;

/** Somebody who calls the service's interface instead of looking at the screen. */
export class Caller {
  private constructor(private readonly cookie: string) {}

  static nobody(): Caller {
    return new Caller("");
  }

  static async signedIn(name: string): Promise<Caller> {
    const { email, password } = person(name);
    const answer = await Caller.nobody().send("POST", "/api/v1/session", { email, password });
    const cookie = answer.headers.get("set-cookie")?.split(";")[0];
    if (answer.status !== 200 || cookie === undefined) throw new Error(`${email} can't sign in: ${await answer.text()}`);
    return new Caller(cookie);
  }

  /** The value of the session cookie. */
  get session(): string {
    return this.cookie.split("=")[1] ?? "";
  }

  send(method: string, path: string, body?: Json, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(stack.address + path, {
      method,
      headers: { origin: stack.address, cookie: this.cookie, "content-type": "application/json", ...headers },
      ...(body && { body: JSON.stringify(body) }),
    });
  }

  async call<T = Json>(method: string, path: string, body?: Json, headers: Record<string, string> = {}): Promise<T> {
    const answer = await this.send(method, path, body, headers);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${String(answer.status)} ${text}`);
    return (text === "" ? {} : JSON.parse(text)) as T;
  }

  /** Changes a ticket as it is now. */
  async change(number: number, body: Json): Promise<void> {
    const { version } = await this.call<{ version: number }>("GET", `/api/v1/tickets/${String(number)}`);
    await this.call("PATCH", `/api/v1/tickets/${String(number)}`, body, { "if-match": `"${String(version)}"` });
  }

  /** Waits until the bridge has said who the requester is. */
  async lookedUp(number: number): Promise<string> {
    const until = Date.now() + 30_000;
    for (;;) {
      const { customer } = await this.call<{ customer: { state: string } }>("GET", `/api/v1/tickets/${String(number)}`);
      if (customer.state !== "pending" || Date.now() > until) return customer.state;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** Sends a request through the public form's interface; returns the ticket's number. */
export async function writeIn(email: string, subject: string, text = "It does not work any more."): Promise<number> {
  const form = { name: "A visitor", email, subject, text, website: "", opened_at: "2026-01-01T00:00:00Z" };
  const { number } = await Caller.nobody().call<{ number: number }>("POST", "/api/v1/public/requests", form);
  return number;
}

/** Tells the CRM how to behave; `{}` is well. */
export async function crmBehaves(behaviour: Json): Promise<void> {
  const answer = await fetch(`${stack.crm}/debug/behaviour`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(behaviour),
  });
  if (!answer.ok) throw new Error(await answer.text());
}

/** Erases a customer in the CRM. */
export async function crmErases(id: string): Promise<void> {
  const headers = { authorization: `Bearer ${stack.key}` };
  const answer = await fetch(`${stack.crm}/api/v1/contacts/${id}`, { method: "DELETE", headers });
  if (!answer.ok) throw new Error(await answer.text());
}
