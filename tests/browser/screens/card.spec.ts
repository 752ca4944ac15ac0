import { crmBehaves, crmErases, customer, expect, like, say, sharedPhone, test, writeIn } from "../support/test.ts";

test.afterEach(async () => {
  await crmBehaves({});
});

test("the card shows what the policy lists, and a masked value on the record only", async ({ anna, byProgram }) => {
  const { name, email, phone, card } = customer(13);
  const number = await writeIn(email, "Who am I");
  await byProgram.lookedUp(number);
  await anna.open(number);
  for (const value of [name, ...card]) await expect(anna.card.getByText(value).first()).toBeVisible();
  await expect(anna.card.getByText(say("card.from"))).toBeVisible();
  await expect(anna.card).not.toContainText(phone);
  await anna.card.getByRole("button", { name: like("card.show_named", { label: "Phone" }) }).click();
  await expect(anna.card.getByText(say("card.recorded"))).toBeVisible();
  await expect(anna.card).toContainText(phone);
  // Shown once is not shown for ever.
  await anna.page.reload();
  await expect(anna.card.getByText(name).first()).toBeVisible();
  await expect(anna.card).not.toContainText(phone);
});

test("several customers with one phone number: one is chosen", async ({ anna, byProgram }) => {
  const { number } = await byProgram.call<{ number: number }>("POST", "/api/v1/tickets", {
    subject: "Called",
    text: "Call back.",
    requester: { name: "Somebody", email: "somebody@unknown.example", phone: sharedPhone() },
  });
  expect(await byProgram.lookedUp(number)).toBe("several");
  await anna.open(number);
  await expect(anna.card.getByRole("button", { name: like("card.choose_named") })).toHaveCount(2);
  await anna.card.getByRole("button", { name: like("card.choose_named", { n: 2 }) }).click();
  await expect(anna.card.getByText(say("card.from"))).toBeVisible();
});

test("nobody in the CRM: the ticket does without", async ({ anna, byProgram }) => {
  const number = await writeIn("stranger@nowhere.example", "A stranger");
  expect(await byProgram.lookedUp(number)).toBe("none");
  await anna.open(number);
  await expect(anna.card.getByText(say("card.none"), { exact: true })).toBeVisible();
  await expect(anna.card.getByRole("button", { name: say("card.look_up") }).last()).toBeVisible();
});

test("a silent CRM: the last known card, and that it is old", async ({ anna, byProgram }) => {
  const { email, name } = customer(14);
  const number = await writeIn(email, "While it still spoke");
  expect(await byProgram.lookedUp(number)).toBe("linked");
  await crmBehaves({ fault: { kind: "close" } });
  await anna.open(number);
  await expect(anna.card.getByText(say("card.stale"))).toBeVisible();
  await expect(anna.card.getByText(name).first()).toBeVisible();
});

test("a silent CRM and somebody new: looked up as soon as it speaks again", async ({ anna, byProgram }) => {
  const { email, name } = customer(15);
  await crmBehaves({ fault: { kind: "close" } });
  const number = await writeIn(email, "While it was silent");
  await anna.open(number);
  await expect(anna.card.getByText(say("card.pending"), { exact: true })).toBeVisible();
  await crmBehaves({});
  expect(await byProgram.lookedUp(number)).toBe("linked");
  await expect(anna.card.getByText(name).first()).toBeVisible();
});

test("no bridge at all: a calm word, and the work goes on", async ({ anna }) => {
  const number = await writeIn(customer(16).email, "Without a bridge");
  await anna.page.route("**/card", (route) => route.fulfill({ json: { state: "unavailable" } }));
  await anna.open(number);
  await expect(anna.card.getByText(say("card.unavailable"), { exact: true })).toBeVisible();
  await anna.box.fill("Answered all the same.");
  await anna.box.press("Control+Enter");
  await expect(anna.message("Answered all the same.")).toBeVisible();
});

test("erased in the CRM: erased here", async ({ anna, byProgram }) => {
  const { id, email, name } = customer(17);
  const number = await writeIn(email, "Forget me");
  expect(await byProgram.lookedUp(number)).toBe("linked");
  await crmErases(id);
  await anna.open(number);
  await expect(anna.card.getByText(say("card.erased"), { exact: true })).toBeVisible();
  await expect(anna.card).not.toContainText(name);
});

test("the browser keeps nothing of a card", async ({ anna, byProgram }) => {
  const { email, name } = customer(18);
  const number = await writeIn(email, "Keep nothing");
  await byProgram.lookedUp(number);
  await anna.open(number);
  await expect(anna.card.getByText(name).first()).toBeVisible();
  const kept = await anna.page.evaluate(async () => {
    const caches = await globalThis.caches.keys();
    return JSON.stringify([{ ...localStorage }, { ...sessionStorage }, await indexedDB.databases(), caches]);
  });
  expect(kept).not.toContain(name);
  expect(kept).toContain("guichet.settings");
});
