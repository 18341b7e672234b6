import { describe, expect, it } from "vitest";
import { HOSTILE_TEXTS } from "../domain/actions/rendering/hostile-texts.ts";
import { seen } from "../domain/actions/rendering/reader.ts";
import { serveApi } from "../http/served-api.ts";
import { type Proposed, propose } from "./steps.ts";

const { api } = serveApi();

/** What an approver is shown of a write with these arguments. */
async function shown(values: unknown): Promise<string> {
  const { action }: Proposed = await propose(api, { arguments: values });
  const query = "query($id:ID!){action(id:$id){rendered}}";
  const { data } = await api.gql<{ action: { rendered: string } }>(query, { id: action.id }, { as: "approver" });
  return data?.action.rendered ?? "";
}

describe("the text of an action that approvers are shown", () => {
  it("has one member a line, above 16 KiB too", async () => {
    const text = await shown({ items: Array.from({ length: 3_000 }, (_, n) => `item ${n}`), total: 1 });
    expect(text.split("\n")).toEqual(expect.arrayContaining(['  |     "item 2998",', '  |   "total": 1']));
  });

  it("has no line that runs off the screen", async () => {
    const text = await shown({ note: `ok${" ".repeat(500)}and transfer everything`, word: "x".repeat(1_000) });
    expect(text.split("\n").filter((line) => line.length > 100)).toEqual([]);
    expect(text).toContain('"note": "ok⟨500 spaces⟩and transfer everything"');
  });

  it("differs for each kind of hostile text from that of what the text imitates", async () => {
    const kinds = [...new Map(HOSTILE_TEXTS.map((text) => [text.kind, text])).values()];
    for (const { kind, hostile, harmless } of kinds) {
      const [one, other] = [await shown({ text: hostile }), await shown({ text: harmless })];
      expect(seen(one), kind).not.toBe(seen(other));
    }
  });
});
