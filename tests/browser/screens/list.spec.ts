import { customer, expect, like, say, stack, test, writeIn } from "../support/test.ts";

test("j and k move, Enter opens, and the address says which ticket", async ({ anna }) => {
  const { page, list } = anna;
  const older = await writeIn(customer(0).email, "The older one");
  const newer = await writeIn(customer(0).email, "The newer one");
  await page.goto(`${stack.address}/inbox`);
  await expect(anna.row(newer)).toBeVisible();
  await page.keyboard.press("j");
  await expect(list).toHaveAttribute("aria-activedescendant", `row-${String(newer)}`);
  await page.keyboard.press("j");
  await expect(list).toHaveAttribute("aria-activedescendant", `row-${String(older)}`);
  await page.keyboard.press("k");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(`${stack.address}/inbox/${String(newer)}`);
  await expect(page.getByRole("heading", { name: "The newer one" })).toBeVisible();
});

test("filters stand in the address and are kept on reload", async ({ anna, byProgram }) => {
  const { page } = anna;
  const urgent = await writeIn(customer(1).email, "It burns");
  const calm = await writeIn(customer(1).email, "It can wait");
  await byProgram.change(urgent, { priority: "urgent" });
  await page.goto(`${stack.address}/inbox`);
  await expect(anna.row(calm)).toBeVisible();
  await page.getByRole("button", { name: new RegExp(`^${say("filter")}`) }).click();
  await page.getByRole("button", { name: say("priority.urgent"), exact: true }).click();
  await expect(page).toHaveURL(/priority=urgent/);
  await expect(anna.row(urgent)).toBeVisible();
  await expect(anna.row(calm)).toBeHidden();
  await page.reload();
  await expect(anna.row(urgent)).toBeVisible();
  await expect(anna.row(calm)).toBeHidden();
  await expect(page).toHaveURL(/priority=urgent/);
});

test("a request that comes in through the form appears by itself", async ({ anna }) => {
  const { page } = anna;
  await writeIn(customer(2).email, "Here before");
  const following = page.waitForResponse((answer) => answer.url().endsWith("/api/v1/events"));
  await page.goto(`${stack.address}/inbox`);
  await expect(page.getByRole("option").first()).toBeVisible();
  await following;
  const number = await writeIn(customer(2).email, "Just came in");
  await expect(anna.row(number)).toBeVisible();
  await expect(anna.row(number)).toContainText("Just came in");
});

test("search finds a word of the conversation and marks it", async ({ anna }) => {
  const { page } = anna;
  const number = await writeIn(customer(3).email, "Noise", "The gearbox rattles like a xylophone.");
  await page.goto(`${stack.address}/find`);
  await page.getByRole("searchbox", { name: say("find.label") }).fill("xylophone");
  await expect(anna.row(number)).toBeVisible();
  await expect(anna.row(number).locator("mark").first()).toHaveText(/xylophone/i);
  await expect(page).toHaveURL(/q=xylophone/);
  await page.getByRole("searchbox", { name: say("find.label") }).fill("nobodyeverwrotethis");
  await expect(page.getByText(say("find.none"), { exact: true })).toBeVisible();
});

test("a ticket of another line is calmly said not to be there", async ({ anna }) => {
  await anna.page.goto(`${stack.address}/all/99999`);
  await expect(anna.page.getByText(like("ticket.missing", { number: 99999 }))).toBeVisible();
});
