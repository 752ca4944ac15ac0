import js from "@eslint/js";
import svelte from "eslint-plugin-svelte";
import globals from "globals";
import ts from "typescript-eslint";
import svelteConfig from "./svelte.config.js";

export default ts.config(
  { ignores: ["src/api/schema.d.ts", "node_modules"] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...svelte.configs.recommended,
  { languageOptions: { globals: { ...globals.browser } } },
  {
    files: ["**/*.svelte", "**/*.svelte.ts"],
    languageOptions: { parserOptions: { parser: ts.parser, extraFileExtensions: [".svelte"], svelteConfig } },
  },
  { files: ["build/**", "*.config.*"], languageOptions: { globals: { ...globals.node } } },
  {
    rules: {
      "no-undef": "off", // the type checker knows better
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "inline-type-imports" }],
      "no-console": "error",
      eqeqeq: "error",
      // Our own router: there is no SvelteKit to resolve addresses with.
      "svelte/no-navigation-without-resolve": "off",
      // Most maps and sets here are plain bookkeeping; what the screen depends on is marked with $state.
      // svelte-check is the judge of these; it warns of more than the linter knows.
      "svelte/no-unused-svelte-ignore": "off",
      "svelte/prefer-svelte-reactivity": "off",
      // Requester HTML is built into nodes by lib/safe-html.ts and by nothing else.
      "svelte/no-at-html-tags": "error",
    },
  },
  { files: ["build/**"], rules: { "no-console": "off" } },
);
