import { Caller, customer, enter, expect, person, say, Screen, stack, test, writeIn } from "../support/test.ts";

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

test("an operator changes the password; only the session in which it was done goes on", async ({ context }) => {
  // An operator of its own: whatever happens here, nobody else's password is another one.
  const { page, main } = await enter(context, "eero");
  const elsewhere = await Caller.signedIn("eero");
  const { email, password } = person("eero");
  const next = "a raft of seven words";
  await page.goto(`${stack.address}/inbox`);
  await page.getByRole("button", { name: new RegExp(say("settings")) }).click();
  await page.getByRole("button", { name: say("password.title") }).click();
  const dialog = page.getByRole("dialog", { name: say("password.title") });
  const present = dialog.getByLabel(say("password.current"));
  const wanted = dialog.getByLabel(say("password.new"));
  await expect(present).toBeFocused();

  await present.fill("not the password");
  for (const [tried, problem] of [
    ["short", "password.short"],
    ["aaaaaaaaaaaa", "password.common"],
  ] as const) {
    await wanted.fill(tried);
    await wanted.press("Enter");
    await expect(wanted).toHaveAccessibleDescription(new RegExp(say(problem)));
    await expect(wanted).toBeFocused();
  }
  await wanted.fill(next);
  await wanted.press("Enter");
  await expect(present).toHaveAccessibleDescription(say("password.current_wrong"));
  await expect(present).toBeFocused();
  await expect(wanted).toHaveValue(next);

  await present.fill(password);
  await present.press("Enter");
  await expect(page.getByText(say("password.done"))).toBeVisible();
  await expect(dialog).toBeHidden();
  await page.reload();
  await expect(main).toBeVisible();
  expect((await elsewhere.send("GET", "/api/v1/session")).status).toBe(401);
  expect((await Caller.nobody().send("POST", "/api/v1/session", { email, password })).status).toBe(401);
  expect((await Caller.nobody().send("POST", "/api/v1/session", { email, password: next })).status).toBe(200);
});
