import type { BrowserContext } from "@playwright/test";
import { accessible, Caller, customer, enter, expect, like, say, type Screen, stack, test, writeIn } from "../support/test.ts";

// The third line's budget is two customers a day (tests/src/bin/browser-stack.rs), so one story tells it all.

const REASON = "The customer is on the phone and the machine stands still.";

/** The word on a card beyond the soft limit, of the hour or of the day. */
const hint = (used: number) => {
  const values = { used, hard: 2 };
  return new RegExp(`${like("card.budget_hint_hour", values).source}|${like("card.budget_hint_day", values).source}`, "u");
};

/** A ticket of the third line with a customer of its own. */
async function thirdLine(place: number, subject: string): Promise<number> {
  const supervisor = await Caller.signedIn("sofia");
  const number = await writeIn(customer(place).email, subject);
  expect(await supervisor.lookedUp(number)).toBe("linked");
  const { version } = await supervisor.call<{ version: number }>("GET", `/api/v1/tickets/${String(number)}`);
  const body = { line: 3, reason: "Needs a closer look", tried: "Everything else" };
  await supervisor.call("POST", `/api/v1/tickets/${String(number)}/hand-over`, body, { "if-match": `"${String(version)}"` });
  return number;
}

async function another(context: BrowserContext, name: string): Promise<[Screen, () => Promise<void>]> {
  const own = await context.browser()?.newContext({ locale: "en-GB", timezoneId: "UTC" });
  if (!own) throw new Error("no browser");
  return [await enter(own, name), () => own.close()];
}

test("a budget runs out, a reason opens one more card, and a supervisor hears and acknowledges", async ({ context }) => {
  test.setTimeout(120_000);
  const tickets = [];
  for (const [i, subject] of ["First", "Second", "Third"].entries()) tickets.push(await thirdLine(22 + i, subject));
  const [first = 0, second = 0, third = 0] = tickets;
  const eero = await enter(context, "eero");
  const [sofia, leave] = await another(context, "sofia");
  await sofia.page.goto(`${stack.address}/inbox`);
  await expect(sofia.main.getByRole("link", { name: say("oversight") })).toBeVisible();

  await eero.open(first);
  await expect(eero.card.getByText(say("card.from"))).toBeVisible();
  await expect(eero.card.getByText(hint(1))).toHaveCount(0);

  // Beyond the soft limit: shown, with a word.
  await eero.open(second);
  await expect(eero.card.getByText(hint(2))).toBeVisible();
  await accessible(eero.page, "a card beyond the soft limit");

  // Beyond the hard one: nothing but with a reason.
  await eero.open(third);
  await expect(eero.card.getByText(say("card.budget"), { exact: true })).toBeVisible();
  await expect(eero.card).not.toContainText(customer(24).name);
  await accessible(eero.page, "a spent budget");
  await eero.card.getByRole("button", { name: say("glass.open") }).click();
  const dialog = eero.page.getByRole("dialog", { name: say("glass.title") });
  const reason = dialog.getByRole("textbox", { name: say("glass.reason") });
  await expect(reason).toBeFocused();
  await reason.fill("too short");
  await expect(dialog.getByRole("button", { name: say("glass.do") })).toBeDisabled();
  await reason.fill(REASON);
  await accessible(eero.page, "breaking the glass");
  await dialog.getByRole("button", { name: say("glass.do") }).click();
  await expect(dialog).toBeHidden();
  await expect(eero.card.getByText(customer(24).name).first()).toBeVisible();

  // The supervisor's screen says so by itself.
  const hisName = stack.people["eero"]?.name ?? "";
  const what = say("notice.break_glass");
  await expect(sofia.page.getByText(like("oversight.new", { name: hisName, what }))).toBeVisible();
  await sofia.main.getByRole("link", { name: new RegExp(say("oversight")) }).click();
  await expect(sofia.page.getByText(REASON)).toBeVisible();
  await accessible(sofia.page, "notices");
  const acknowledge = sofia.page.getByRole("button", { name: like("oversight.acknowledge_named", { what, name: hisName }) });
  await acknowledge.click();
  await expect(acknowledge).toHaveCount(0);
  await sofia.page.getByRole("checkbox", { name: say("oversight.show_all") }).check();
  await expect(sofia.page.getByText(like("oversight.acknowledged")).first()).toBeVisible();

  // Who looked at whom and why, and how much is used.
  await sofia.page.goto(`${stack.address}/oversight/looks?ticket=${String(third)}`);
  await expect(sofia.page.getByText(REASON)).toBeVisible();
  await expect(sofia.page.getByText(hisName).first()).toBeVisible();
  await expect(sofia.page.getByRole("main")).not.toContainText(customer(24).phone);
  await accessible(sofia.page, "looks");
  await sofia.page.goto(`${stack.address}/oversight/budgets`);
  await expect(sofia.page.getByRole("meter").first()).toBeVisible();
  await accessible(sofia.page, "budgets");
  await sofia.page.setViewportSize({ width: 390, height: 844 });
  for (const section of ["notices", "looks", "budgets", "anomalies"]) {
    await sofia.page.goto(`${stack.address}/oversight/${section}`);
    await expect(sofia.page.getByRole("heading", { name: say("oversight.title") })).toBeVisible();
    const wider = await sofia.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(wider, section).toBeLessThanOrEqual(0);
  }
  await sofia.page.emulateMedia({ colorScheme: "dark", reducedMotion: "reduce" });
  await sofia.page.goto(`${stack.address}/oversight/budgets`);
  await expect(sofia.page.getByRole("meter").first()).toBeVisible();
  await accessible(sofia.page, "budgets on a phone, dark");
  await leave();
});

test("nobody but supervisors has the page", async ({ anna }) => {
  await anna.page.goto(`${stack.address}/inbox`);
  await expect(anna.main.getByRole("link", { name: say("oversight") })).toHaveCount(0);
  const answer = await anna.page.request.get(`${stack.address}/api/v1/oversight/looks`);
  expect(answer.status()).toBe(403);
});
