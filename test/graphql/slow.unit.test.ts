import { parse } from "graphql";
import { describe, expect, it } from "vitest";
import { isSlow } from "../../src/graphql/base/slow.ts";

describe("a query that waits behind others of its kind", () => {
  it.each([
    "{ explainPolicy(input: {}) { outcome } }",
    '{ simulatePolicy(document: "") { changed } }',
    "{ policyVersions(first: 1) { nodes { version } } }",
    "{ policy { version } }",
    "{ current: policy { version } viewer { id } }",
    "{ ... { policy { version } } }",
    "{ ...Current } fragment Current on Query { policy { version } }",
    "{ ...Current } fragment Current on Query { ... on Query { policy { version } } }",
    "{ verifyLedger { verdict } }",
    '{ action(id: "x") { derived { id } } }',
  ])("%s", (text) => {
    expect(isSlow(parse(text))).toBe(true);
  });
});

describe("a query that does not", () => {
  it.each([
    "{ viewer { id } }",
    "{ pendingApprovals { nodes { policy { requirements { have } } } } }",
    "{ pendingApprovals { nodes { ...Shown } } } fragment Shown on Action { policy { outcome } }",
    '{ node(id: "x") { ... on Action { policy { outcome } } } }',
  ])("%s", (text) => {
    expect(isSlow(parse(text))).toBe(false);
  });
});
