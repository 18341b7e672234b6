import { describe, expect, it } from "vitest";
import { serveApi } from "./served-api.ts";

const { api } = serveApi();

const many = (count: number, text: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => text(index)).join(" ");

async function codeOf(query: string, variables: object = {}) {
  const { status, errors } = await api.gql(query, variables, { as: "auditor" });
  return { status, codes: errors?.map((error) => error.extensions.code) };
}

const TOO_COMPLEX = { status: 400, codes: ["QUERY_TOO_COMPLEX"] };
const FINE = { status: 200, codes: undefined };

describe("an operation", () => {
  it("may be 12 levels deep, and no more", async () => {
    const chain = (levels: number) =>
      `{auditEntry(seq:"1"){actor{${"onBehalfOf{".repeat(levels - 3)}id${"}".repeat(levels - 3)}}}}`;
    expect(await codeOf(chain(12))).toEqual(FINE);
    expect(await codeOf(chain(13))).toEqual(TOO_COMPLEX);
    const spread = `query{...A} fragment A on Query{auditEntry(seq:"1"){...B}} fragment B on AuditEntry{actor{${"onBehalfOf{".repeat(10)}id${"}".repeat(10)}}}`;
    expect(await codeOf(spread)).toEqual(TOO_COMPLEX);
  });

  it("may have 30 aliases, and no more", async () => {
    expect(await codeOf(`{viewer{${many(30, (n) => `a${n}:id`)}}}`)).toEqual(FINE);
    expect(await codeOf(`{viewer{${many(31, (n) => `a${n}:id`)}}}`)).toEqual(TOO_COMPLEX);
    expect(
      await codeOf(`{viewer{...A onBehalfOf{...A}}} fragment A on Principal{${many(16, (n) => `a${n}:id`)}}`),
    ).toEqual(TOO_COMPLEX);
  });

  it("may have 20 fields at its root, and no more", async () => {
    expect(await codeOf(`{${many(20, (n) => `a${n}:__typename`)}}`)).toEqual(FINE);
    expect(await codeOf(`{${many(21, (n) => `a${n}:__typename`)}}`)).toEqual(TOO_COMPLEX);
    expect(
      await codeOf(
        `{...A ...B} fragment A on Query{${many(11, (n) => `a${n}:__typename`)}} fragment B on Query{${many(10, (n) => `b${n}:__typename`)}}`,
      ),
    ).toEqual(TOO_COMPLEX);
  });

  it("may have 5,000 tokens, and no more", async () => {
    const { status, codes } = await codeOf(`{viewer{${many(5_000, () => "id")}}}`);
    expect({ status, codes }).toEqual({ status: expect.any(Number), codes: ["BAD_USER_INPUT"] });
  });

  it("is measured by what it may cost, with the variables it comes with", async () => {
    const query = "query($n:Int){auditEntries(first:$n){nodes{entry:action{entries{sources{sources{seq}}}}}}}";
    expect(await codeOf(query, { n: 1 })).toEqual(FINE);
    expect(await codeOf(query, { n: 500 })).toEqual(TOO_COMPLEX);
    expect(await codeOf(query, { n: 1 })).toEqual(FINE);
    // What cannot be measured is not remembered as harmless.
    const strict =
      "query($n:Int,$s:Sequence!){auditEntry(seq:$s){seq} auditEntries(first:$n){nodes{action{entries{sources{sources{seq}}}}}}}";
    expect((await codeOf(strict, { n: 500, s: 1 })).codes).toEqual(["BAD_USER_INPUT"]);
    expect(await codeOf(strict, { n: 500, s: "1" })).toEqual(TOO_COMPLEX);
  });

  it("whose fragments double at every level is refused at once", async () => {
    const fragments = many(40, (n) => `fragment F${n} on Query{...F${n + 1} ...F${n + 1}}`);
    const started = performance.now();
    expect(await codeOf(`{...F0} ${fragments} fragment F40 on Query{__typename}`)).toEqual(TOO_COMPLEX);
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  it("whose fragments go round in circles is refused", async () => {
    const { codes } = await codeOf("{...A} fragment A on Query{...B} fragment B on Query{...A}");
    expect(new Set(codes)).toEqual(new Set(["BAD_USER_INPUT"]));
  });

  it("may introspect the whole schema", async () => {
    const { getIntrospectionQuery } = await import("graphql");
    const { errors, data } = await api.gql<{ __schema: { types: object[] } }>(
      getIntrospectionQuery(),
      {},
      { as: "auditor" },
    );
    expect(errors).toBeUndefined();
    expect(data.__schema.types.length).toBeGreaterThan(30);
  });
});
