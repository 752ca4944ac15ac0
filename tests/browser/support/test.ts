// What every test begins with: a page of its own, signed in without the form, and the parts of the screen by name.

import { AxeBuilder } from "@axe-core/playwright";
import { type BrowserContext, expect, type Locator, type Page, test as base } from "@playwright/test";
import { Caller, stack } from "./stack.ts";
import { like, say } from "./words.mjs";

export { expect, like, say };
export * from "./stack.ts";

/** The operator's screen. */
export class Screen {
  readonly main: Locator;
  readonly list: Locator;
  readonly card: Locator;
  readonly properties: Locator;
  readonly composer: Locator;
  readonly box: Locator;

  constructor(readonly page: Page) {
    this.main = page.getByRole("navigation", { name: say("main_menu") });
    this.list = page.getByRole("listbox", { name: say("tickets") });
    this.card = page.getByRole("region", { name: say("card.title"), exact: true });
    this.properties = page.getByRole("region", { name: say("properties"), exact: true });
    this.composer = page.getByRole("group", { name: say("composer"), exact: true });
    this.box = this.composer.getByRole("textbox");
  }

  row(number: number): Locator {
    return this.page.locator(`#row-${String(number)}`);
  }

  message(text: string): Locator {
    return this.page.getByRole("log").locator("article:not([aria-busy])", { hasText: text });
  }

  async open(number: number): Promise<void> {
    await this.page.goto(`${stack.address}/all/${String(number)}`);
    await expect(this.page.getByText(`#${String(number)}`, { exact: true })).toBeVisible();
    await expect(this.box).toBeVisible();
  }

  async kind(kind: "answer" | "note"): Promise<void> {
    await this.composer.getByRole("tab", { name: say(`composer.${kind}`) }).click();
  }
}

export async function enter(context: BrowserContext, name: string): Promise<Screen> {
  const caller = await Caller.signedIn(name);
  await context.addCookies([
    { name: "guichet_session", value: caller.session, url: stack.address, httpOnly: true, sameSite: "Strict" },
  ]);
  // Hints are tested by the interface's own tests; here they would stand in the way.
  await context.addInitScript(() => {
    if (localStorage.getItem("guichet.settings") === null) {
      localStorage.setItem("guichet.settings", JSON.stringify({ hints: false }));
    }
  });
  return new Screen(await context.newPage());
}

/** Fails with what axe finds against WCAG 2.1 AA on the page as it stands. */
export async function accessible(page: Page, what: string): Promise<void> {
  const found = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]).analyze();
  const told = found.violations.map(({ id, help, nodes }) => `${id}: ${help}\n${nodes.map((n) => n.html).join("\n")}`);
  expect(told, `${what}:\n${told.join("\n\n")}`).toEqual([]);
}

interface Fixtures {
  /** Anna, first line. */
  anna: Screen;
  /** Anna again, by program. */
  byProgram: Caller;
}

export const test = base.extend<Fixtures>({
  anna: async ({ context }, use) => {
    await use(await enter(context, "anna"));
  },
  byProgram: async ({}, use) => {
    await use(await Caller.signedIn("anna"));
  },
});
