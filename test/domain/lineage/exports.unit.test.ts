import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { createChainReader, type HashedEntry, hashedEntry } from "../../../src/domain/lineage/exports/entries.ts";
import { namespaceOf, uriPart } from "../../../src/domain/lineage/exports/names.ts";
import { createLineageWriter } from "../../../src/domain/lineage/exports/writer.ts";
import { canonicalize, type JsonObject } from "../../../src/facts/canonical.ts";
import { entryText } from "../../../src/facts/entry.ts";
import { SYSTEM_ACTOR } from "../../../src/facts/envelope.ts";
import { openLineageProblems, provProblems } from "../../support/lineage-schemas.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const LEDGER = "acme/eu";
/** Entries are made of the bodies of test vectors. */
interface Vectors {
  readonly entries: readonly { readonly body: string }[];
}
const vectors = JSON.parse(readFileSync(new URL("../../vectors/entry-v1.json", import.meta.url), "utf8")) as Vectors;
const bodyOf = (type: string) => {
  const found = vectors.entries.map(({ body }) => JSON.parse(body) as JsonObject).find((body) => body.type === type);
  if (found === undefined) throw new Error(`there is no vector of ${type}`);
  return found;
};
const HASH = "0".repeat(64);

const idOf = (number: number) => `01920000-0000-7000-8000-${number.toString(16).padStart(12, "0")}`;
const edge = (number: number) => ({
  chain: idOf(number),
  platform: "crm",
  region: "us",
  ledger: LEDGER,
  seq: String(number),
  hash: HASH,
});

function entryOf(seq: number, body: JsonObject): HashedEntry {
  const recordedAt = "2026-01-01T00:00:00.000001Z";
  return hashedEntry(
    LEDGER,
    entryText({ body: canonicalize(body), ledger: LEDGER, prevHash: HASH, recordedAt, seq: BigInt(seq) }),
  );
}

/** A write that waits, with `edges` of either kind. */
function proposal(number: number, edges = 0, more: JsonObject = {}): HashedEntry {
  const id = idOf(number);
  const all = Array.from({ length: edges }, (_, at) => edge(at + 1));
  const lineage = {
    observed: all.map((one) => ({ ...one, values: 3, whole: 2, exact: 1, said: 1, strength: 70 })),
    possible: all.map((one) => ({ ...one, reads: 1, unknown: true })),
    origins: [{ platforms: ["crm"], said: true, mixed: true, values: 3 }],
    unread: ["ap"],
    left: 2,
    earlier: true,
    uncompared: true,
  };
  const state = { status: "PENDING", approvals: 0, expiresAt: "2026-01-02T00:00:00.000000Z" };
  const { grant: _grant, ...body } = bodyOf("ACTION_PROPOSED");
  return entryOf(number, {
    ...body,
    action: id,
    effect: "WRITE",
    lineage,
    states: [{ kind: "ACTION", id, version: 1, state }],
    ...more,
  });
}

const nothing = () => Promise.resolve([]);

describe("entries that lineage is made of", () => {
  it("are refused when they do not follow each other", () => {
    const texts = [1, 2, 3].map((seq) => proposal(seq));
    const read = (...entries: readonly string[]) => {
      const next = createChainReader({ ledger: LEDGER, from: 1n, gaps: false });
      return () => entries.map(next);
    };
    const text = (seq: number, prevHash: string) => {
      const { body, recordedAt } = texts[0]!;
      return entryText({ body: canonicalize(body), ledger: LEDGER, prevHash, recordedAt, seq: BigInt(seq) });
    };
    const first = text(1, HASH);
    const second = text(2, hashedEntry(LEDGER, first).hash);
    expect(read(first, second)()).toHaveLength(2);
    expect(read(first, text(2, HASH))).toThrow("entry 2 does not have the hash of the entry before it");
    expect(read(first, text(3, HASH))).toThrow("there is entry 3 where entry 2 has to be");
    expect(read(second)).toThrow("there is entry 2 where entry 1 has to be");
    expect(read(first, first)).toThrow("there is entry 1 where entry 2 has to be");
    expect(read("{}")).toThrow("an entry cannot be read");
    expect(read(first.replace("acme/eu", "globex/eu"))).toThrow("entry 1 says that it is of another ledger");
  });

  it("are refused when they are not what their type says", async () => {
    const writer = createLineageWriter("openlineage", nothing);
    await expect(writer.write(proposal(1, 0, { effect: "READY" }))).rejects.toThrow(
      "entry 1 is not what its type says",
    );
  });

  it("are left out when what came before them is not there", async () => {
    const approved = entryOf(2, bodyOf("ACTION_APPROVED"));
    expect(await createLineageWriter("openlineage", nothing).write(approved)).toBe("UNSEEN");
  });
});

describe("an action that was given more time any number of times", () => {
  const step = (seq: number, version: number, type: string, status: string, more: JsonObject = {}) => {
    const { decision: _decision, signature: _signature, ...body } = bodyOf("ACTION_APPROVED");
    const time = "2026-01-02T00:00:00.000000Z";
    const grant = { id: idOf(9), hash: HASH, expiresAt: time };
    const deadline = status === "EXECUTING" ? { expiresAt: time } : {};
    const state = { status, approvals: 0, startedAt: time, grant, ...deadline };
    const states = [{ kind: "ACTION", id: idOf(1), version, state }];
    return entryOf(seq, { ...body, type, action: idOf(1), states, ...more });
  };
  const started = (version = 2) => step(version, version, "GRANT_REDEEMED", "EXECUTING", { grant: { id: idOf(9) } });
  const ended = () => step(90_000, 80_000, "ACTION_COMPLETED", "SUCCEEDED", { outcome: "SUCCEEDED", latencyMs: 7 });
  const typesOf = (texts: readonly string[] | "UNSEEN") =>
    texts === "UNSEEN" ? texts : texts.map((text) => (JSON.parse(text) as { readonly eventType: string }).eventType);

  it("has an end without these entries, also where the export begins behind them", async () => {
    const load = () => Promise.resolve([proposal(1), started()]);
    expect(typesOf(await createLineageWriter("openlineage", load).write(ended()))).toEqual(["COMPLETE"]);
    const whole = createLineageWriter("openlineage", nothing);
    for (const entry of [proposal(1), started(), step(3, 3, "EXECUTION_EXTENDED", "EXECUTING")])
      await whole.write(entry);
    expect(typesOf(await whole.write(ended()))).toEqual(["COMPLETE"]);
  });

  it("has none where what led to its start is not there", async () => {
    for (const before of [[], [started()], [proposal(1)], [proposal(1), started(7)]]) {
      const writer = createLineageWriter("openlineage", () => Promise.resolve(before));
      expect(await writer.write(ended()), String(before.length)).toBe("UNSEEN");
    }
  });
});

describe("names", () => {
  it.each([
    ["plain-name_1", "plain-name_1"],
    ["a/b", "a%2Fb"],
    ['"quoted"\n', "%22quoted%22%0A"],
    ["😀", "%F0%9F%98%80"],
    ["%41", "%2541"],
    ["a.b", "a%2Eb"],
  ])("write %j as %j", (name, written) => {
    expect(uriPart(name)).toBe(written);
    expect(decodeURIComponent(written)).toBe(name);
    expect(new URL(namespaceOf(LEDGER, name)).pathname).toBe(`/${written}`);
  });

  it("may be any text that an entry can have", async () => {
    for (const platform of ['a"b\nc\u2028', "😀".repeat(1_000), "__proto__", "//evil.example/"]) {
      const body = { platform, tool: platform, region: "eu" };
      for (const format of ["openlineage", "prov"] as const) {
        const state = { status: "BLOCKED", approvals: 0 };
        const policy = { ...(bodyOf("ACTION_PROPOSED").policy as JsonObject), outcome: "FORBID" };
        const states = [{ kind: "ACTION", id: idOf(1), version: 1, state }];
        const texts = await createLineageWriter(format, nothing).write(proposal(1, 2, { ...body, policy, states }));
        expect(texts).toHaveLength(format === "prov" ? 1 : 2);
        for (const text of texts) {
          expect(text).not.toContain("\n");
          expect((format === "prov" ? provProblems : openLineageProblems)(JSON.parse(text))).toEqual([]);
        }
      }
    }
  });
});

describe("a write with all that can be known of its sources", () => {
  const carriedOut = () => {
    const {
      decision: _decision,
      client: _client,
      onBehalfOf: _person,
      session: _session,
      ...approved
    } = bodyOf("ACTION_APPROVED");
    const states = [{ kind: "ACTION", id: idOf(1), version: 2, state: { status: "SUCCEEDED", approvals: 1 } }];
    return entryOf(2, {
      ...approved,
      actor: SYSTEM_ACTOR,
      type: "ACTION_CARRIED_OUT",
      action: idOf(1),
      effect: "WRITE",
      states,
    });
  };
  const written = async (format: "openlineage" | "prov") => {
    const writer = createLineageWriter(format, nothing);
    await writer.write(proposal(1, 2));
    const texts = await writer.write(carriedOut());
    if (texts === "UNSEEN") throw new Error("it was left out");
    return texts.map((text) => JSON.parse(text) as Readonly<Record<string, never>>);
  };

  it("has them in the facet of the event that completes it", async () => {
    const [event, ...more] = await written("openlineage");
    expect(more).toEqual([]);
    expect(openLineageProblems(event)).toEqual([]);
    expect(event).toMatchObject({
      eventType: "COMPLETE",
      run: {
        facets: {
          countersign_sources: {
            observed: [{ values: 3, whole: 2, exact: 1, said: 1 }, {}],
            possible: [{ unknown: true }, {}],
            origins: [{ platforms: ["crm"], said: true, mixed: true, values: 3 }],
            unread: ["ap"],
            left: 2,
            earlier: true,
            uncompared: true,
          },
        },
      },
      // Two reads of one platform are one dataset.
      inputs: [{ namespace: "countersign://acme/crm", name: "us" }],
    });
  });

  it("has them in the document of its action", async () => {
    const [document] = await written("prov");
    expect(provProblems(document)).toEqual([]);
    expect(document).toMatchObject({
      entity: {
        [`org:written/${idOf(1)}`]: { "cs:unread": ["ap"], "cs:left": 2, "cs:earlier": true, "cs:uncompared": true },
      },
    });
    expect(Object.keys(document?.wasDerivedFrom ?? {})).toHaveLength(2);
    expect(Object.keys(document?.wasInfluencedBy ?? {})).toHaveLength(2);
  });
});

describe("a long ledger", () => {
  it("takes bounded memory, however many actions stay open and however many sources they have", async () => {
    const writer = createLineageWriter("openlineage", nothing);
    const used = () => {
      collectGarbage();
      return process.memoryUsage().heapUsed;
    };
    let written = 0;
    let before = 0;
    for (let number = 1; number <= 3_000; number += 1) {
      const texts = await writer.write(proposal(number, 20));
      written += texts.length;
      // From here on what is remembered is replaced.
      if (number === 1_500) before = used();
    }
    expect(written).toBe(3_000);
    expect(used() - before).toBeLessThan(15 * 1024 * 1024);
  }, 60_000);
});
