declare module "*.json?icu" {
  import type { Compiled } from "./i18n/format";
  const messages: Record<string, Compiled>;
  export default messages;
}
