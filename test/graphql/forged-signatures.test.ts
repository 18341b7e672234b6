import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { canonicalize, type JsonObject } from "../../src/facts/canonical.ts";
import type { UnsealedObject } from "../../src/facts/commitment.ts";
import { startApi } from "../http/harness.ts";
import { serveApi } from "../http/served-api.ts";
import { FACT_KEY, freshKey } from "../support/fact-keys.ts";
import { sealSigned } from "../support/ledgers.ts";
import { act, propose, READ } from "./steps.ts";

const LEDGER = "acme/eu";
const { api, database } = serveApi();

/** Appends `body` with the server's login of the database. */
async function appendDirectly(body: string): Promise<void> {
  const append = "SELECT refusal FROM oc_ledger_append($1, $2, '')";
  const { rows } = await api.services.pool.query<{ refusal: string | null }>(append, [LEDGER, body]);
  expect(rows).toEqual([{ refusal: null }]);
}

const bodyOf = ({ canonical }: { readonly canonical: string }) => (JSON.parse(canonical) as { body: JsonObject }).body;

const TERMS = ["action", "platform", "tool", "effect", "region", "chain", "sourceChain", "digest"];

/** What somebody without the key would append for an action of the proposal `body`. */
function forged(body: JsonObject, type: string, version: number, state: JsonObject, more: JsonObject): UnsealedObject {
  const terms = Object.fromEntries(TERMS.flatMap((name) => (body[name] === undefined ? [] : [[name, body[name]]])));
  const id = String(body.action);
  return {
    ...terms,
    type,
    id: randomUUID(),
    actor: { id: "approver", kind: "HUMAN", roles: ["approver"], groups: ["approvers"] },
    policyHash: (body.policy as JsonObject).hash,
    states: [{ kind: "ACTION", id, version, state }],
    ...more,
  } as UnsealedObject;
}

const APPROVED = { status: "APPROVED", approvals: 1, grant: { expiresAt: "2099-01-01T00:00:00.000000Z" } };
const decision = { verdict: "APPROVE", channel: "API" };

async function codeOf(mutation: string, input: object, as: "agent" | "approver" = "agent"): Promise<unknown> {
  const type = `${mutation[0]?.toUpperCase()}${mutation.slice(1)}Input`;
  const query = `mutation($input:${type}!){${mutation}(input:$input){action{status} userErrors{code}}}`;
  const { data, errors } = await api.gql(query, { input }, { as });
  expect(data ?? null).toBeNull();
  return errors?.[0]?.extensions.code;
}

describe("an approval that no server signed gives no grant", () => {
  it.each<readonly [string, () => Promise<(body: UnsealedObject) => string>]>([
    ["without a signature", async () => (body) => canonicalize(body as JsonObject)],
    [
      "signed by another key",
      async () => {
        const { sign } = await freshKey();
        return (body) => sealSigned(LEDGER, body, sign).body;
      },
    ],
    ["signed for another ledger", async () => (body) => sealSigned("acme/us", body).body],
    [
      "with the signature of other facts",
      async () => (body) => canonicalize({ ...(body as JsonObject), signature: FACT_KEY.sign(LEDGER, "{}") }),
    ],
  ])("%s", async (_, sealing) => {
    const seal = await sealing();
    const { action, entry } = await propose(api);
    await appendDirectly(seal(forged(bodyOf(entry), "ACTION_APPROVED", 2, APPROVED, { decision })));
    expect(await codeOf("claimGrant", { actionId: action.id })).toBe("LEDGER_CORRUPT");
  });

  it("even if the entry is of a type that needs no signature", async () => {
    const { action, entry } = await propose(api);
    await appendDirectly(canonicalize(forged(bodyOf(entry), "ACTION_CANCELLED", 2, APPROVED, {}) as JsonObject));
    expect(await codeOf("claimGrant", { actionId: action.id })).toBe("LEDGER_CORRUPT");
  });
});

describe("a proposal that no server signed", () => {
  it.each<readonly [string, (body: JsonObject) => JsonObject]>([
    ["as it is", (body) => body],
    [
      "with weaker requirements",
      (body) => ({
        ...body,
        policy: { ...(body.policy as JsonObject), requirements: [{ id: "any", group: "everybody", needed: 1 }] },
      }),
    ],
    ["for another digest than its text", (body) => ({ ...body, digest: `sha256:${"0".repeat(64)}` })],
  ])("is not approved: %s", async (_, change) => {
    const { action: genuine, entry } = await propose(api);
    const { signature: _signature, ...body } = bodyOf(entry);
    const [id, action] = [randomUUID(), randomUUID()];
    const [state] = body.states as readonly JsonObject[];
    const forgery = change({ ...body, id, action, states: [{ ...state, id: action }] });
    await appendDirectly(canonicalize(forgery));
    const name = Buffer.from(genuine.id, "base64url").toString().replace(genuine.uuid, action);
    const input = { actionId: Buffer.from(name).toString("base64url"), digest: String(forgery.digest) };
    expect(await codeOf("approveAction", input, "approver")).toBe("LEDGER_CORRUPT");
  });
});

describe("an entry of a type that servers do not know", () => {
  it("moves no action back", async () => {
    const { action, entry } = await propose(api);
    const [before] = bodyOf(entry).states as readonly (JsonObject & { readonly state: JsonObject })[];
    await act(api, "denyAction", { actionId: action.id, digest: action.digest, note: "no" }, "approver");
    await appendDirectly(
      canonicalize(forged(bodyOf(entry), "ACTION_REVIVED", 3, before?.state ?? {}, {}) as JsonObject),
    );
    const input = { actionId: action.id, digest: action.digest };
    expect(await codeOf("approveAction", input, "approver")).toBe("LEDGER_CORRUPT");
    expect(await codeOf("cancelAction", { actionId: action.id })).toBe("LEDGER_CORRUPT");
  });
});

describe("a grant that no server signed", () => {
  it("is not spent, although its token was once right", async () => {
    const { action, entry } = await propose(api);
    await act(api, "approveAction", { actionId: action.id, digest: action.digest }, "approver");
    const first = await act(api, "claimGrant", { actionId: action.id }, "agent", "grant{token}");
    await act(api, "claimGrant", { actionId: action.id }, "agent", "grant{token}");
    const { rows } = await api.services.pool.query<{ state: JsonObject }>(
      `SELECT e.entry::jsonb #> '{body,states,0,state}' AS state FROM oc_audit_log e
        WHERE e.ledger = $1 AND e.action_id = $2 AND e.type = 'GRANT_ISSUED' ORDER BY e.seq LIMIT 1`,
      [LEDGER, action.uuid],
    );
    const [state] = rows.map((row) => row.state);
    // The second voided the first; this would make it valid again.
    expect(state).toMatchObject({ status: "APPROVED", grant: { id: expect.any(String) } });
    const grant = { id: (state?.grant as JsonObject | undefined)?.id };
    await appendDirectly(canonicalize(forged(bodyOf(entry), "GRANT_ISSUED", 5, state ?? {}, { grant }) as JsonObject));
    const redeem = { token: first.grant?.token, digest: action.digest };
    expect(await codeOf("redeemGrant", redeem)).toBe("LEDGER_CORRUPT");
  });
});

describe("what servers signed", () => {
  it("is claimed and redeemed on another server that shares the key", async () => {
    const other = await startApi(database.appUrl);
    const { action } = await propose(api);
    await act(api, "approveAction", { actionId: action.id, digest: action.digest }, "approver");
    const { grant } = await act(other, "claimGrant", { actionId: action.id }, "agent", "grant{token}");
    const redeem = { token: grant?.token, digest: action.digest };
    // Its token is of the key that the other server has for grants.
    expect(await act(other, "redeemGrant", redeem, "agent")).toMatchObject({ action: { status: "EXECUTING" } });
    await other.close();
  });

  it("of a permitted proposal is claimed again and redeemed", async () => {
    const { action } = await propose(api, READ);
    expect(action.status).toBe("ALLOWED");
    const { grant } = await act(api, "claimGrant", { actionId: action.id }, "agent", "grant{token}");
    const redeem = { token: grant?.token, digest: action.digest };
    expect(await act(api, "redeemGrant", redeem, "agent")).toMatchObject({ action: { status: "EXECUTING" } });
  });
});

// The last ones, since nothing is proposed in the caller's session any more.
describe("a session that ended", () => {
  it.each([
    ["a known type that moves no session", "AUDIT_READ"],
    ["an unknown type", "SESSION_REVIVED"],
  ])("is not opened again by %s", async (_, type) => {
    const conversationId = randomUUID();
    const { session } = await act<{ session: { id: string } }>(
      api,
      "startSession",
      { conversationId },
      "agent",
      "session{id}",
    );
    const id = Buffer.from(session.id, "base64url").toString().slice(-36);
    const { rows } = await api.services.pool.query<{ body: JsonObject }>(
      "SELECT entry::jsonb -> 'body' AS body FROM oc_audit_log WHERE session_id = $1 AND type = 'SESSION_STARTED'",
      [id],
    );
    const started = rows[0]?.body ?? {};
    await act(api, "endSession", { sessionId: session.id }, "agent", "userErrors{code}");
    const [first] = started.states as readonly JsonObject[];
    await appendDirectly(canonicalize({ ...started, id: randomUUID(), type, states: [{ ...first, version: 3 }] }));
    await expect(propose(api, { conversationId })).rejects.toThrow("LEDGER_CORRUPT");
  });
});
