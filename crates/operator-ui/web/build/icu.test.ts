import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse, TYPE, type MessageFormatElement } from "@formatjs/icu-messageformat-parser";
import { describe, expect, it } from "vitest";
import { type Arguments, type Compiled, format, helpers } from "../src/i18n/format.ts";
import { compileMessage } from "./icu.ts";

function say(message: string, locale: string, args: Arguments = {}): string {
  const compiled = new Function(`return ${compileMessage(message)}`)() as Compiled;
  return format(compiled, args, helpers(locale));
}

describe("compiled messages", () => {
  it("are plain strings where nothing varies", () => {
    expect(compileMessage("Sign in")).toBe('"Sign in"');
  });

  it("put arguments in their place, also at the beginning", () => {
    expect(say("{name} is answering", "en", { name: "Anna" })).toBe("Anna is answering");
    expect(say("{a}{b}", "en", { a: 1, b: 2 })).toBe("12");
  });

  it("follow the plural rules of the language", () => {
    const message = "{n, plural, one {# день} few {# дня} many {# дней} other {# дня}} назад";
    const of = (n: number) => say(message, "ru", { n });
    expect([1, 2, 5, 11, 21, 104].map(of)).toEqual([
      "1 день назад",
      "2 дня назад",
      "5 дней назад",
      "11 дней назад",
      "21 день назад",
      "104 дня назад",
    ]);
  });

  it("prefer an exact number to a plural form, and write numbers as the language does", () => {
    expect(say("{n, plural, =0 {none} other {# of them}}", "en", { n: 0 })).toBe("none");
    expect(say("{n, plural, other {# of them}}", "en", { n: 12345 })).toBe("12,345 of them");
  });

  it("select, and fall back to other", () => {
    const message = "{kind, select, mail {by mail} other {somehow}}";
    expect(say(message, "en", { kind: "mail" })).toBe("by mail");
    expect(say(message, "en", { kind: "pigeon" })).toBe("somehow");
  });

  it("cannot smuggle code out of a text", () => {
    expect(say('"+alert(1)+"', "en")).toBe('"+alert(1)+"');
  });

  it("refuse what the browser has no helper for", () => {
    expect(() => compileMessage("{when, date, short}")).toThrow("unsupported");
  });
});

describe("the catalogues", () => {
  const read = (locale: string) =>
    JSON.parse(readFileSync(fileURLToPath(new URL(`../locales/${locale}.json`, import.meta.url)), "utf8")) as Record<
      string,
      string
    >;
  const en = read("en");
  const ru = read("ru");

  function names(parts: MessageFormatElement[]): string[] {
    return parts.flatMap((part) => {
      if (part.type === TYPE.literal || part.type === TYPE.pound) return [];
      const inner =
        part.type === TYPE.plural || part.type === TYPE.select
          ? Object.values(part.options).flatMap((option) => names(option.value))
          : [];
      return "value" in part ? [part.value, ...inner] : inner;
    });
  }

  it("have the same messages in every language", () => {
    expect(Object.keys(ru)).toEqual(Object.keys(en));
  });

  it("compile, and use the same arguments", () => {
    for (const [key, message] of Object.entries(en)) {
      compileMessage(message);
      compileMessage(ru[key] ?? "");
      const used = (text: string) => [...new Set(names(parse(text, { ignoreTag: true })))].sort();
      expect(used(ru[key] ?? ""), key).toEqual(used(message));
    }
  });

  it("have all plural forms that Russian needs", () => {
    for (const [key, message] of Object.entries(ru)) {
      for (const part of parse(message, { ignoreTag: true })) {
        if (part.type === TYPE.plural) {
          expect(Object.keys(part.options), key).toEqual(expect.arrayContaining(["one", "few", "many", "other"]));
        }
      }
    }
  });

  it("shout at nobody", () => {
    for (const [key, message] of [...Object.entries(en), ...Object.entries(ru)]) {
      expect(message, key).not.toMatch(/!|oops/i);
    }
  });
});
