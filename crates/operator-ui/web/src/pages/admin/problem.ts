import { Refused } from "../../api";
import { t } from "../../i18n/index.svelte";

/** What to say of a failed step: the service's sentence, with the members that it found wrong. */
export function problem(error: unknown): string {
  if (!(error instanceof Refused)) return t("failed.change_unreachable");
  const fields = error.fields.map(({ field, message }) => `${field}: ${message}`);
  return [error.sentence, ...fields].join(" ");
}
