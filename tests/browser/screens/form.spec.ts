import { Caller, customer, expect, stack, test } from "../support/test.ts";

test.use({ javaScriptEnabled: false });

test("a request is sent without scripts, and opens one ticket", async ({ page }) => {
  await page.goto(`${stack.address}/request`);
  await page.locator("[name=name]").fill("Grace");
  await page.locator("[name=email]").fill(customer(21).email);
  await page.locator("[name=subject]").fill("No scripts here");
  await page.locator("[name=text]").fill("And yet it moves.");
  await page.locator("form button").first().click();
  await expect(page.locator("main")).toContainText(/\b1\d{4}\b/);
  const number = Number(/\b1\d{4}\b/.exec(await page.locator("main").innerText())?.[0]);
  const anna = await Caller.signedIn("anna");
  const ticket = await anna.call<{ subject: string }>("GET", `/api/v1/tickets/${String(number)}`);
  expect(ticket.subject).toBe("No scripts here");
});

test("what is wrong is told beside the field, and everything typed is still there", async ({ page }) => {
  await page.goto(`${stack.address}/request`);
  await page.locator("form").evaluate((form: HTMLFormElement) => {
    form.noValidate = true;
  });
  await page.locator("[name=name]").fill("Grace");
  await page.locator("[name=email]").fill("not an address");
  await page.locator("[name=subject]").fill("Kept");
  await page.locator("[name=text]").fill("Kept, too.");
  await page.locator("form button").first().click();
  await expect(page.locator("[name=email][aria-invalid=true]")).toBeVisible();
  await expect(page.locator("[name=subject]")).toHaveValue("Kept");
  await expect(page.locator("[name=text]")).toHaveValue("Kept, too.");
});
