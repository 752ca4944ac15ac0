// Compiles the message catalogues (ICU message format) to small functions while building, so that the browser gets
// no parser and needs no `eval`. `{count, plural, …}`, `{kind, select, …}`, `{n, number}` and plain arguments are
// supported; anything else fails the build with the key that uses it.
import { readFileSync } from "node:fs";
import { parse, TYPE, type MessageFormatElement } from "@formatjs/icu-messageformat-parser";
import type { Plugin } from "vite";

/** Source text of one function body: an expression that yields the message for arguments `a` and helpers `h`. */
export function compileMessage(message: string): string {
  const ast = parse(message, { ignoreTag: true });
  return ast.every((part) => part.type === TYPE.literal)
    ? JSON.stringify(ast.map((part) => (part.type === TYPE.literal ? part.value : "")).join(""))
    : `(a,h)=>${sequence(ast, null)}`;
}

function sequence(parts: MessageFormatElement[], plural: string | null): string {
  if (parts.length === 0) return '""';
  const code = parts.map((part) => element(part, plural)).join("+");
  return parts[0]?.type === TYPE.literal ? code : `""+${code}`;
}

function element(part: MessageFormatElement, plural: string | null): string {
  switch (part.type) {
    case TYPE.literal:
      return JSON.stringify(part.value);
    case TYPE.argument:
      return argument(part.value);
    case TYPE.number:
      return `h.number(${argument(part.value)})`;
    case TYPE.pound:
      if (plural === null) throw new Error("# outside of a plural");
      return `h.number(${plural})`;
    case TYPE.select:
      return choose(`h.select(${argument(part.value)},`, part.options, null);
    case TYPE.plural: {
      const value = argument(part.value);
      const shifted = part.offset === 0 ? value : `(${value}-${String(part.offset)})`;
      return choose(`h.plural(${value},${String(part.offset)},`, part.options, shifted);
    }
    default:
      throw new Error(`unsupported part of a message: type ${String(part.type)}`);
  }
}

function choose(
  call: string,
  options: Record<string, { value: MessageFormatElement[] }>,
  plural: string | null,
): string {
  const branches = Object.entries(options).map(
    ([name, option]) => `${JSON.stringify(name)}:()=>${sequence(option.value, plural)}`,
  );
  return `${call}{${branches.join(",")}})`;
}

function argument(name: string): string {
  return `a[${JSON.stringify(name)}]`;
}

/** Source of the module for one catalogue; throws with the name of the first message that cannot be compiled. */
export function compileCatalogue(json: string, file: string): string {
  const messages = JSON.parse(json) as Record<string, string>;
  const entries = Object.entries(messages).map(([key, message]) => {
    try {
      return `${JSON.stringify(key)}:${compileMessage(message)}`;
    } catch (error) {
      throw new Error(`${file}: message "${key}": ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
  });
  return `export default {${entries.join(",\n")}};`;
}

/** `import messages from "…/en.json?icu"` gives the compiled catalogue. */
export function icu(): Plugin {
  return {
    name: "icu-catalogue",
    enforce: "pre",
    load(id) {
      if (!id.endsWith(".json?icu")) return null;
      const file = id.slice(0, -"?icu".length);
      this.addWatchFile(file);
      return { code: compileCatalogue(readFileSync(file, "utf8"), file), moduleType: "js", map: null };
    },
  };
}
