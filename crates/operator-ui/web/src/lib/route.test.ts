import { describe, expect, it } from "vitest";
import { parseRoute, pathOf } from "./route";

describe("an address", () => {
  it.each([
    ["/", { page: "list", view: "inbox", number: null }],
    ["/inbox", { page: "list", view: "inbox", number: null }],
    ["/line2/10482", { page: "list", view: "line2", number: 10482 }],
    ["/mine/", { page: "list", view: "mine", number: null }],
    ["/tickets/10482", { page: "list", view: "all", number: 10482 }],
    ["/find", { page: "find", number: null }],
    ["/find/10482", { page: "find", number: 10482 }],
    ["/admin", { page: "admin", section: "operators" }],
    ["/admin/keys", { page: "admin", section: "keys" }],
  ])("%s is known", (path, route) => {
    expect(parseRoute(path)).toEqual(route);
  });

  it.each(["/nowhere", "/line4", "/inbox/abc", "/inbox/-1", "/inbox/1/2", "/tickets", "/admin/crm", "/find/0"])(
    "%s is not",
    (path) => {
      expect(parseRoute(path)).toEqual({ page: "unknown" });
    },
  );

  it("is made as it is read", () => {
    expect(parseRoute(pathOf("line3", 10001))).toEqual({ page: "list", view: "line3", number: 10001 });
    expect(pathOf("find", null)).toBe("/find");
  });
});
