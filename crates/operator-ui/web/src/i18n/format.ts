// What a compiled message needs at run time; see build/icu.ts.
export type Argument = string | number;
export type Arguments = Record<string, Argument>;
type Branches = Record<string, () => string>;

export interface Helpers {
  number(value: Argument): string;
  plural(value: Argument, offset: number, branches: Branches): string;
  select(value: Argument, branches: Branches): string;
}

export type Compiled = string | ((args: Arguments, helpers: Helpers) => string);

export function helpers(locale: string): Helpers {
  const numbers = new Intl.NumberFormat(locale);
  const rules = new Intl.PluralRules(locale);
  const other = (branches: Branches) => branches["other"]?.() ?? "";
  return {
    number: (value) => (typeof value === "number" ? numbers.format(value) : value),
    plural: (value, offset, branches) => {
      const exact = branches[`=${String(value)}`];
      return (exact ?? branches[rules.select(Number(value) - offset)])?.() ?? other(branches);
    },
    select: (value, branches) => branches[String(value)]?.() ?? other(branches),
  };
}

export function format(message: Compiled, args: Arguments, help: Helpers): string {
  return typeof message === "string" ? message : message(args, help);
}
