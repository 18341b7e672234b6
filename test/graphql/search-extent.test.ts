import { expect, it } from "vitest";
import { serveApi } from "../http/served-api.ts";

const { api } = serveApi();

const words = (count: number) => Array.from({ length: count }, (_, at) => `word${at}`).join(" ");

it.each([
  ["17 words", { text: words(17) }],
  ["2,000 words", { text: words(2_000) }],
  ["a text of 1,001 characters", { text: "x".repeat(1_001) }],
  ["an address of 1,001 characters", { actorEmail: "x".repeat(1_001) }],
  ["a fragment of 4,000 characters", { contains: { a: "x".repeat(4_000) } }],
  ["a type named again and again", { types: Array.from({ length: 500 }, () => "ACTION_PROPOSED") }],
])("a search for %s is refused before the database sees it", async (_, filter) => {
  api.queries();
  const query = "query($filter:AuditFilter){auditEntries(filter:$filter){nodes{seq}}}";
  const { errors } = await api.gql(query, { filter }, { as: "auditor" });
  expect(errors?.map(({ extensions }) => extensions.code)).toEqual(["BAD_USER_INPUT"]);
  expect(api.sent.filter((text) => text.includes("oc_audit_log e"))).toEqual([]);
});

it("a search for 16 words is made", async () => {
  const query = "query($filter:AuditFilter){auditEntries(filter:$filter){nodes{seq}}}";
  expect((await api.gql(query, { filter: { text: words(16) } }, { as: "auditor" })).errors).toBeUndefined();
});
