import { Caller, customer, enter, expect, like, person, say, stack, test, writeIn } from "../support/test.ts";

interface Messages {
  items: { kind: string; text: string }[];
}

async function written(by: Caller, number: number): Promise<string[]> {
  const { items } = await by.call<Messages>("GET", `/api/v1/tickets/${String(number)}/messages`);
  return items.map(({ kind, text }) => `${kind}: ${text}`);
}

test("an answer and a note stand in the conversation as what they are", async ({ anna, byProgram }) => {
  const number = await writeIn(customer(4).email, "A question");
  await anna.open(number);
  await anna.box.fill("Please turn it off and on.");
  await anna.box.press("Control+Enter");
  await expect(anna.message("Please turn it off and on.")).toHaveAccessibleName(like("message.answer"));
  await anna.kind("note");
  await anna.box.fill("Third time this week.");
  await anna.box.press("Control+Enter");
  await expect(anna.message("Third time this week.")).toHaveAccessibleName(like("message.note"));
  await expect(anna.message("Third time this week.").getByText(say("message.internal"))).toBeVisible();
  expect(await written(byProgram, number)).toEqual([
    "request: It does not work any more.",
    "answer: Please turn it off and on.",
    "note: Third time this week.",
  ]);
});

test("a draft is there after a reload, each kind for itself", async ({ anna }) => {
  const number = await writeIn(customer(5).email, "A long story");
  await anna.open(number);
  await anna.box.fill("Half an answer");
  await anna.kind("note");
  await anna.box.fill("Half a note");
  await anna.page.reload();
  await anna.kind("answer");
  await expect(anna.box).toHaveValue("Half an answer");
  await anna.kind("note");
  await expect(anna.box).toHaveValue("Half a note");
});

test("what is sent without a connection waits, and goes out once when it is back", async ({ anna, byProgram }) => {
  const number = await writeIn(customer(6).email, "On the train");
  await anna.open(number);
  await anna.page.context().setOffline(true);
  await anna.box.fill("Written in the tunnel.");
  await anna.box.press("Control+Enter");
  await expect(anna.page.getByText(say("outbox.waiting"))).toBeVisible();
  await anna.page.context().setOffline(false);
  await expect(anna.page.getByText(say("outbox.waiting"))).toBeHidden({ timeout: 45_000 });
  await expect(anna.message("Written in the tunnel.")).toHaveCount(1);
  expect((await written(byProgram, number)).filter((text) => text.includes("tunnel"))).toHaveLength(1);
});

test("a draft survives a reload while the service is away", async ({ anna }) => {
  const number = await writeIn(customer(7).email, "Power cut");
  await anna.open(number);
  await anna.page.route("**/api/**", (route) => route.abort());
  await anna.box.fill("Not to be lost.");
  await anna.page.reload();
  await anna.page.unroute("**/api/**");
  await anna.open(number);
  await expect(anna.box).toHaveValue("Not to be lost.");
});

test("sending twice sends once", async ({ anna, byProgram }) => {
  const number = await writeIn(customer(8).email, "Impatient");
  await anna.open(number);
  await anna.box.fill("Only one of me.");
  await anna.box.press("Control+Enter");
  await anna.box.press("Control+Enter");
  await expect(anna.message("Only one of me.")).toHaveCount(1);
  expect(await written(byProgram, number)).toHaveLength(2);
});

test("a change that somebody else made first is shown, not overwritten", async ({ anna, byProgram }) => {
  const number = await writeIn(customer(9).email, "Both at once");
  // The page does not hear of the change before it makes its own.
  await anna.page.route("**/api/v1/events", (route) => route.abort());
  await anna.open(number);
  await expect(anna.properties).toBeVisible();
  await (await Caller.signedIn("boris")).change(number, { priority: "low" });
  await anna.properties.getByRole("button", { name: new RegExp(`^${say("field.priority")}`) }).or(
    anna.properties.getByRole("combobox", { name: new RegExp(`^${say("field.priority")}`) }),
  ).click();
  await anna.page.getByRole("option", { name: say("priority.urgent"), exact: true }).click();
  await expect(anna.page.getByRole("alert").getByText(like("conflict.text"))).toBeVisible();
  const now = await byProgram.call<{ priority: string }>("GET", `/api/v1/tickets/${String(number)}`);
  expect(now.priority).toBe("low");
  await anna.page.getByRole("button", { name: say("conflict.again") }).click();
  await expect
    .poll(async () => (await byProgram.call("GET", `/api/v1/tickets/${String(number)}`))["priority"])
    .toBe("urgent");
});

test("one sees who else has the ticket open, and who is answering", async ({ anna, browser }) => {
  const number = await writeIn(customer(10).email, "In company");
  await anna.open(number);
  const context = await browser.newContext();
  const boris = await enter(context, "boris");
  const { name } = person("boris");
  await boris.open(number);
  await expect(anna.composer.getByText(like("presence.reading", { name }))).toBeVisible();
  await boris.box.fill("I am at it");
  await expect(anna.composer.getByText(like("presence.answering", { name }))).toBeVisible();
  await context.close();
});

test("handing over asks why, and takes the ticket to the other line", async ({ anna }) => {
  const number = await writeIn(customer(11).email, "For the workshop");
  await anna.page.goto(`${stack.address}/inbox/${String(number)}`);
  await expect(anna.box).toBeVisible();
  await anna.page.getByRole("button", { name: say("handover.do") }).first().click();
  const dialog = anna.page.getByRole("dialog");
  await dialog.getByLabel(say("handover.reason")).fill("Needs a soldering iron");
  await dialog.getByLabel(say("handover.tried")).fill("Everything else");
  await dialog.getByRole("button", { name: say("handover.do") }).click();
  await expect(dialog).toBeHidden();
  const mia = await Caller.signedIn("mia");
  const now = await mia.call<{ line: number }>("GET", `/api/v1/tickets/${String(number)}`);
  expect(now.line).toBe(2);
});

test("an attached file goes with the answer and can be fetched", async ({ anna }) => {
  const number = await writeIn(customer(12).email, "Send me the manual");
  await anna.open(number);
  const file = { name: "manual.txt", mimeType: "text/plain", buffer: Buffer.from("Read me.\n") };
  await anna.composer.locator("input[type=file]").setInputFiles(file);
  await expect(anna.composer.getByRole("button", { name: like("attach.remove", { name: "manual.txt" }) })).toBeVisible();
  await anna.box.fill("Here it is.");
  await anna.box.press("Control+Enter");
  const download = anna.page.waitForEvent("download");
  await anna.message("Here it is.").getByRole("link", { name: /manual\.txt/ }).click();
  expect((await download).suggestedFilename()).toBe("manual.txt");
});
