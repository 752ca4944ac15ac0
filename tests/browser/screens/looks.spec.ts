import type { Page } from "@playwright/test";
import { accessible, customer, enter, expect, say, stack, test, writeIn } from "../support/test.ts";

async function theme(page: Page, name: "light" | "dark"): Promise<void> {
  await page.emulateMedia({ colorScheme: name, reducedMotion: "reduce" });
  await expect(page.locator("html")).toHaveAttribute("data-theme", name);
}

test("the language changes at once, is kept, and is the document's", async ({ context }) => {
  // An operator of its own: the account remembers the language.
  const { page, main } = await enter(context, "boris");
  await page.goto(`${stack.address}/inbox`);
  await page.getByRole("button", { name: new RegExp(say("settings")) }).click();
  await page.getByRole("radio", { name: "Русский" }).check();
  await page.getByRole("button", { name: say("close", "ru") }).click();
  await expect(page.getByRole("heading", { name: say("view.inbox", "ru") })).toBeVisible();
  await expect(page.locator("html")).toHaveAttribute("lang", "ru");
  await page.reload();
  await expect(page.getByRole("heading", { name: say("view.inbox", "ru") })).toBeVisible();
  await page.getByRole("button", { name: new RegExp(say("settings", "ru")) }).click();
  await page.getByRole("radio", { name: "English" }).check();
  await page.getByRole("button", { name: say("close") }).click();
  await expect(main).toBeVisible();
});

test("dark and light are chosen in the settings and kept", async ({ anna }) => {
  const { page } = anna;
  await page.goto(`${stack.address}/inbox`);
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.getByRole("button", { name: new RegExp(say("settings")) }).click();
  await page.getByRole("radio", { name: say("theme.light") }).check();
  const light = await ground();
  await page.getByRole("radio", { name: say("theme.dark") }).check();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  expect(await ground()).not.toBe(light);
  await page.reload();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
});

test("at 390 px there is one thing at a time and nothing is cut off", async ({ anna }) => {
  const { page } = anna;
  await page.setViewportSize({ width: 390, height: 844 });
  const number = await writeIn(customer(19).email, "From the pocket");
  await page.goto(`${stack.address}/inbox`);
  await anna.row(number).click();
  await expect(page.getByRole("heading", { name: "From the pocket" })).toBeVisible();
  await expect(anna.list).toBeHidden();
  await page.getByRole("button", { name: say("side.open") }).click();
  await expect(anna.card).toBeVisible();
  await page.getByRole("button", { name: say("side.close") }).first().click();
  await expect(anna.card).toBeHidden();
  await expect(anna.box).toBeInViewport();
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(wider).toBeLessThanOrEqual(0);
  await page.getByRole("button", { name: say("back") }).click();
  await expect(anna.list).toBeVisible();
});

for (const look of ["light", "dark"] as const) {
  test(`every screen can be used by everybody, ${look}`, async ({ anna, byProgram, browser }) => {
    // A dozen screens, each looked at by axe for seconds.
    test.setTimeout(180_000);
    const { page } = anna;
    const number = await writeIn(customer(20).email, `Readable, ${look}`);
    await byProgram.lookedUp(number);
    await page.goto(`${stack.address}/inbox`);
    await theme(page, look);
    await expect(anna.row(number)).toBeVisible();
    await accessible(page, "the list");
    await anna.open(number);
    await expect(anna.card.getByText(say("card.from"))).toBeVisible();
    await anna.box.fill("Half an answer");
    await accessible(page, "a ticket with its card");
    await anna.kind("note");
    await anna.box.fill("Half a note");
    await accessible(page, "a note");
    await page.goto(`${stack.address}/find?q=readable`);
    await expect(anna.row(number)).toBeVisible();
    await accessible(page, "search");
    await page.getByRole("button", { name: new RegExp(say("settings")) }).click();
    await expect(page.getByRole("dialog")).toBeVisible();
    await accessible(page, "settings");
    await page.keyboard.press("Escape");
    await page.goto(`${stack.address}/inbox`);
    await page.getByRole("button", { name: say("new.title") }).click();
    await expect(page.getByRole("dialog")).toBeVisible();
    await accessible(page, "a new ticket");
    await page.keyboard.press("Escape");
    await page.locator("body").press("?");
    await expect(page.getByRole("dialog")).toBeVisible();
    await accessible(page, "the keys");
    await page.setViewportSize({ width: 390, height: 844 });
    await anna.open(number);
    await accessible(page, "a ticket on a phone");

    const context = await browser.newContext({ colorScheme: look });
    const admin = await enter(context, "admin");
    for (const section of ["operators", "queues", "keys"]) {
      await admin.page.goto(`${stack.address}/admin/${section}`);
      await theme(admin.page, look);
      await expect(admin.page.getByRole("heading").first()).toBeVisible();
      await accessible(admin.page, `administration, ${section}`);
    }
    await context.clearCookies();
    await admin.page.goto(`${stack.address}/inbox`);
    await expect(admin.page.getByLabel(say("signin.password"))).toBeVisible();
    await accessible(admin.page, "signing in");
    await admin.page.goto(`${stack.address}/request`);
    await accessible(admin.page, "the public form");
    await context.close();
  });
}

test("a page that was opened before still works after a reload", async ({ anna }) => {
  // The second time the browser has it already, and the service only says so.
  const { page } = anna;
  const complaints: string[] = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  for (const _ of [1, 2, 3]) {
    await page.goto(`${stack.address}/inbox`);
    await expect(anna.main).toBeVisible();
  }
  expect(complaints).toEqual([]);
});
