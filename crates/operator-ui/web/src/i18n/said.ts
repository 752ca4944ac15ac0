import { Refused } from "../api/failure";
import { type MessageKey, t, tOr } from "./index.svelte";

/**
 * What to say to the operator of something that failed: our own words for the codes that we know, the service's
 * sentence for the others, and `unreachable` where nothing was answered.
 */
export function said(error: unknown, unreachable: MessageKey = "failed.change_unreachable"): string {
  if (!(error instanceof Refused))
    return error instanceof Error && error.name !== "Unreachable" ? t("failed.unknown") : t(unreachable);
  if (error.fields.length > 0 && error.code === "invalid") {
    return error.fields
      .map(({ field, message }) => t("failed.field", { field: tOr("field", field), message }))
      .join(" ");
  }
  const words = tOr("problem", error.code);
  return words === error.code.replaceAll("_", " ") ? error.sentence : words;
}
