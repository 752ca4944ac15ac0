// Starts CRM, bridge and ticket service before the tests and stops them afterwards.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

function command(): [string, string[]] {
  const folder = process.env["GUICHET_TEST_BIN"];
  return folder
    ? [`${folder}/browser-stack`, []]
    : ["cargo", ["run", "--quiet", "--package", "system-tests", "--bin", "browser-stack"]];
}

export default async function start(): Promise<() => Promise<void>> {
  const [program, args] = command();
  const stack = spawn(program, args, { cwd: ROOT, stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(stack, "exit");
  const line = await Promise.race([
    once(createInterface({ input: stack.stdout }), "line").then(([line]) => String(line)),
    ended.then(([code]) => Promise.reject(new Error(`${program} ended with ${String(code)}`))),
  ]);
  // Handed to the workers, which read it in support/stack.ts.
  process.env["GUICHET_TEST_STACK"] = line;
  return async () => {
    // The stack stops when nobody holds its input any more.
    stack.stdin.end();
    await ended;
  };
}
