import { customer, enter, expect, person, say, Screen, stack, test, writeIn } from "../support/test.ts";

test("an operator signs in, stays signed in on reload, and signs out", async ({ page }) => {
  const { email, password } = person("anna");
  await page.goto(stack.address);
  await page.getByLabel(say("signin.email")).fill(email);
  await page.getByLabel(say("signin.password")).fill(password);
  await page.getByRole("button", { name: say("signin.do") }).click();
  const screen = new Screen(page);
  await expect(screen.main).toBeVisible();
  await page.reload();
  await expect(screen.main).toBeVisible();
  await page.getByRole("button", { name: new RegExp(say("settings")) }).click();
  await page.getByRole("button", { name: say("sign_out") }).click();
  await expect(page.getByLabel(say("signin.password"))).toBeVisible();
  await page.goto(`${stack.address}/inbox`);
  await expect(page.getByLabel(say("signin.password"))).toBeVisible();
});

test("a wrong password is told, and the address stays", async ({ page }) => {
  await page.goto(stack.address);
  await page.getByLabel(say("signin.email")).fill("anna@guichet.example");
  await page.getByLabel(say("signin.password")).fill("not the password");
  await page.getByRole("button", { name: say("signin.do") }).click();
  await expect(page.getByRole("alert")).toHaveText(say("signin.wrong"));
  await expect(page.getByLabel(say("signin.email"))).toHaveValue("anna@guichet.example");
  await expect(page.getByLabel(say("signin.password"))).toHaveValue("");
});

test("a session that ends while working says so, and what was written is still there", async ({ context }) => {
  const screen = await enter(context, "boris");
  const { page } = screen;
  const number = await writeIn(customer(22).email, "Signed out");
  await screen.open(number);
  await screen.box.fill("Half an answer");
  await context.clearCookies();
  await screen.main.getByRole("link", { name: new RegExp(`^${say("view.mine")}`) }).click();
  await expect(page.getByText(say("signin.ended"))).toBeVisible();
  const { email, password } = person("boris");
  await page.getByLabel(say("signin.email")).fill(email);
  await page.getByLabel(say("signin.password")).fill(password);
  await page.getByRole("button", { name: say("signin.do") }).click();
  await expect(screen.main).toBeVisible();
  await screen.open(number);
  await expect(screen.box).toHaveValue("Half an answer");
});
