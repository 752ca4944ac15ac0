// Uses the whole interface as people would, and writes down everything that was ever on the screen or kept by the
// browser. The isolation suite (tests/isolation) starts it and looks for markers in what it wrote.
//
// node drive.mjs ORDERS.json FOLDER

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "@playwright/test";
import { FLAGS, PROGRAM } from "../support/browser.mjs";
import { like, say } from "../support/words.mjs";

const orders = JSON.parse(readFileSync(process.argv[2], "utf8"));
const folder = process.argv[3];
for (const name of ["dom", "storage"]) mkdirSync(join(folder, name), { recursive: true });

const context = await chromium.launchPersistentContext(join(folder, "storage/profile"), {
  executablePath: PROGRAM,
  args: FLAGS,
  locale: "en-GB",
  viewport: { width: 1440, height: 900 },
});
const page = context.pages()[0] ?? (await context.newPage());
page.setDefaultTimeout(20_000);
const complaints = [];
page.on("pageerror", (error) => complaints.push(String(error)));
page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));

let shots = 0;
/** Keeps the whole document, what can be read of it, and what stands in its fields. */
async function snap(name) {
  const seen = await page.evaluate(() => ({
    html: document.documentElement.outerHTML,
    text: document.body.innerText,
    values: [...document.querySelectorAll("input, textarea, select")].map((field) => field.value),
    title: document.title,
    address: location.href,
  }));
  shots += 1;
  const file = join(folder, "dom", `${String(shots).padStart(2, "0")}-${name}.txt`);
  writeFileSync(file, [seen.address, seen.title, seen.html, seen.text, ...seen.values].join("\n\n"));
}

/** Everything that the browser offers pages for keeping. */
async function storage(name) {
  const kept = await page.evaluate(async () => {
    const databases = await indexedDB.databases();
    const caches = [];
    for (const key of await globalThis.caches.keys()) {
      const cache = await globalThis.caches.open(key);
      for (const request of await cache.keys()) caches.push(await (await cache.match(request)).text());
    }
    return { local: { ...localStorage }, session: { ...sessionStorage }, databases, caches, cookie: document.cookie };
  });
  writeFileSync(join(folder, "storage", `${name}.json`), JSON.stringify(kept, null, 1));
}

async function signIn({ email, password }) {
  await page.goto(`${orders.base}/`);
  await page.getByLabel(say("signin.email")).fill(email);
  await page.getByLabel(say("signin.password")).fill(password);
  await page.getByRole("button", { name: say("signin.do") }).click();
  await page.getByRole("navigation", { name: say("main_menu") }).waitFor();
}

async function signOut() {
  await page.getByRole("button", { name: new RegExp(say("settings"), "u") }).click();
  await snap("settings");
  await page.getByRole("button", { name: say("sign_out") }).click();
  await page.getByLabel(say("signin.password")).waitFor();
}

const customer = page.getByRole("region", { name: say("card.title"), exact: true });
const composer = page.getByRole("group", { name: say("composer"), exact: true });

/** Writes an answer or a note and waits until it stands in the conversation. */
async function write(kind, text) {
  await composer.getByRole("tab", { name: say(`composer.${kind}`) }).click();
  await composer.getByRole("textbox").fill(text);
  await composer.getByRole("textbox").press("Control+Enter");
  await page.locator("article:not([aria-busy])", { hasText: text }).waitFor();
}

async function publicForm() {
  await page.goto(`${orders.base}/request`);
  await snap("form");
  for (const [name, value] of Object.entries({
    name: "A visitor",
    email: orders.requester,
    subject: "The belt slips",
    text: "It slips on the third roller.",
  })) {
    await page.locator(`[name=${name}]`).fill(value);
  }
  await page.locator("main button[type=submit], main form button").first().click();
  await page.waitForFunction(() => /\b1\d{4}\b/u.test(document.body.innerText));
  await snap("form-taken");
  const text = await page.locator("body").innerText();
  return Number(/\b1\d{4}\b/u.exec(text)[0]);
}

async function searches(number) {
  for (const words of [...orders.search, "slips", "credit limit", "invoice"]) {
    await page.goto(`${orders.base}/find?q=${encodeURIComponent(words)}`);
    await page.getByText(say("find.none")).or(page.getByRole("option").first()).first().waitFor();
    await snap("search");
  }
  await page.goto(`${orders.base}/find?q=slips`);
  await page.locator(`#row-${number}`).click();
  await page.getByRole("heading", { name: "The belt slips" }).waitFor();
}

async function card() {
  await customer.getByText(orders.name).first().waitFor();
  await snap("card");
  // Line 1 sees the phone number masked, and may have it shown on the record.
  await customer.getByRole("button", { name: like("card.show_named") }).first().click();
  await customer.getByText(say("card.recorded")).first().waitFor();
  await snap("card-revealed");
}

async function talk(number) {
  await composer.locator("input[type=file]").setInputFiles({
    name: "belt.txt",
    mimeType: "text/plain",
    buffer: Buffer.from("roller 3\n"),
  });
  await composer.getByRole("button", { name: like("attach.remove", { name: "belt.txt" }) }).waitFor();
  await write("answer", "Please tighten the third roller.");
  await write("note", "Looks like last month's batch.");
  await snap("talk");
  await page.getByRole("button", { name: say("handover.do") }).first().click();
  await page.getByLabel(say("handover.reason")).fill("Needs the workshop");
  await page.getByLabel(say("handover.tried")).fill("Tightened it");
  await snap("hand-over");
  await page.getByRole("dialog").getByRole("button", { name: say("handover.do") }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.goto(`${orders.base}/all/${number}`);
  await snap("handed-over");
}

async function several() {
  await page.goto(`${orders.base}/inbox`);
  await page.getByRole("button", { name: say("new.title") }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel(say("field.subject")).fill("Somebody called");
  await dialog.getByLabel(say("new.name")).fill("Somebody");
  await dialog.getByLabel(say("new.email")).fill("somebody@unknown.example");
  await dialog.getByLabel(say("new.phone")).fill(orders.shared_phone);
  await dialog.getByLabel(say("new.text")).fill("Wants to be called back.");
  await dialog.getByRole("button", { name: say("new.do") }).click();
  await page.getByRole("heading", { name: "Somebody called" }).waitFor();
  await customer.getByRole("button", { name: like("card.choose_named") }).first().waitFor();
  await snap("several");
  await customer.getByRole("button", { name: like("card.choose_named") }).first().click();
  await customer.getByText(say("card.from")).waitFor();
  await snap("several-chosen");
}

async function otherPeople(number) {
  await signIn(orders.line2);
  await page.goto(`${orders.base}/all/${number}`);
  await customer.getByText(orders.name).first().waitFor();
  await snap("line-2");
  await storage("line-2");
  await signOut();
  await signIn(orders.admin);
  await page.goto(`${orders.base}/all/${number}`);
  await customer.getByText(say("card.withheld"), { exact: true }).waitFor();
  await snap("admin-ticket");
  for (const section of ["operators", "queues", "keys"]) {
    await page.goto(`${orders.base}/admin/${section}`);
    await page.getByRole("heading").first().waitFor();
    await snap(`admin-${section}`);
  }
  await signOut();
  await signIn(orders.supervisor);
  for (const section of ["notices", "looks", "budgets", "anomalies"]) {
    await page.goto(`${orders.base}/oversight/${section}`);
    await page.getByRole("heading").first().waitFor();
    await snap(`oversight-${section}`);
  }
  await signOut();
}

try {
  const number = await publicForm();
  await signIn(orders.line1);
  await page.goto(`${orders.base}/inbox`);
  await page.locator(`#row-${number}`).waitFor();
  await snap("inbox");
  await searches(number);
  await card();
  await storage("card-shown");
  await talk(number);
  await several();
  await signOut();
  await otherPeople(number);
  await page.goto(`${orders.base}/api/docs/`);
  await page.locator(".opblock").first().waitFor();
  await snap("docs");
  await storage("end");
} catch (error) {
  await snap("failed").catch(() => undefined);
  console.error(page.url(), await page.locator("body").innerText().catch(() => ""), complaints.slice(-10));
  throw error;
} finally {
  await context.close();
}
