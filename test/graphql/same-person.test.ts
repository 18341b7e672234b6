import { randomUUID } from "node:crypto";
import type { JWTPayload } from "jose";
import { afterAll, describe, expect, it } from "vitest";
import { startApi } from "../http/harness.ts";
import { serveApi } from "../http/served-api.ts";
import { verifyLedger } from "../support/ledgers.ts";
import { act, type Proposed, propose } from "./steps.ts";

/** Whether an approver is another person than those who asked, when tokens leave out what would tell. */
const { api, database } = serveApi();

afterAll(async () => {
  expect((await verifyLedger(api.snapshotPool, "acme/eu")).verdict).toBe("INTACT");
});

/** A person whom nobody has seen. An address is verified unless `more` says otherwise. */
function person(more: JWTPayload = {}): JWTPayload {
  return { sub: `p-${randomUUID()}`, org: "acme", kind: "HUMAN", roles: ["approver"], groups: ["approvers"], ...more };
}
const addressed = (more: JWTPayload = {}) => person({ email: `${randomUUID()}@acme.example`, ...more });

const as = async (claims: JWTPayload) => ({ token: await api.sign(claims) });

/** What an agent proposes for a person. */
async function proposedFor(claims: JWTPayload, agent = "their-agent"): Promise<Proposed["action"]> {
  return (await propose(api, {}, await as({ ...claims, act: { sub: agent, roles: ["agent"] } }))).action;
}

const SELECTION =
  "action{status policy{requirements{needed have}} decisions{identity}} entry{type body} userErrors{code message}";
interface Approval {
  readonly action: {
    readonly status: string;
    readonly policy: { readonly requirements: readonly { readonly needed: number; readonly have: number }[] };
    readonly decisions: readonly { readonly identity: string }[];
  } | null;
  readonly entry: { readonly type: string; readonly body: { readonly identity?: string } } | null;
  readonly userErrors: readonly { readonly code: string; readonly message: string }[];
}
const approve = async ({ id, digest }: Proposed["action"], claims: JWTPayload): Promise<Approval> =>
  act(api, "approveAction", { actionId: id, digest }, await as(claims), SELECTION);
const claim = async ({ id }: Proposed["action"], claims: JWTPayload, agent = "their-agent") =>
  act(
    api,
    "claimGrant",
    { actionId: id },
    await as({ ...claims, act: { sub: agent, roles: ["agent"] } }),
    "grant{token} userErrors{code message}",
  );
const codes = ({ userErrors }: { readonly userErrors: readonly { readonly code: string }[] }) =>
  userErrors.map(({ code }) => code);

/** The person signs in with their own token, which the ledger records. */
const signIn = async (claims: JWTPayload) =>
  act(api, "startSession", {}, await as(claims), "session{id} userErrors{code}");

describe("an agent's token without the person's address", () => {
  it("has one more person approve, says so, and counts the same when the grant is claimed", async () => {
    const asker = person();
    const action = await proposedFor(asker);
    expect(await approve(action, addressed())).toMatchObject({
      action: {
        status: "PENDING",
        policy: { requirements: [{ needed: 2, have: 1 }] },
        decisions: [{ identity: "UNKNOWN" }],
      },
      entry: { type: "ACTION_APPROVED", body: { identity: "UNKNOWN" } },
      userErrors: [],
    });
    expect(codes(await claim(action, asker))).toEqual(["NOT_APPROVED"]);
    expect((await approve(action, addressed())).action).toMatchObject({
      status: "APPROVED",
      policy: { requirements: [{ needed: 2, have: 2 }] },
    });
    expect(await claim(action, asker)).toMatchObject({ grant: { token: expect.any(String) }, userErrors: [] });
  });

  it("does not let the person's second account approve, by the address the ledger last saw them with", async () => {
    const asker = addressed();
    await signIn(asker);
    const { email, ...bare } = asker;
    const action = await proposedFor(bare);
    expect(codes(await approve(action, addressed({ email: email as string })))).toEqual(["REQUESTER_CANNOT_DECIDE"]);
    // Of somebody else one approval is enough: both have a verified address.
    expect((await approve(action, addressed())).action?.status).toBe("APPROVED");
  });

  it("knows an address that the person had when they asked, and one that they have since", async () => {
    const asker = addressed();
    const action = await proposedFor(asker);
    const moved = { ...asker, email: `${randomUUID()}@acme.example` };
    await signIn(moved);
    for (const { email } of [asker, moved]) {
      expect(codes(await approve(action, addressed({ email: email as string })))).toEqual(["REQUESTER_CANNOT_DECIDE"]);
    }
  });

  it("voids the approval of a second account that is known as one only later", async () => {
    const asker = person();
    const second = addressed();
    const action = await proposedFor(asker);
    await approve(action, second);
    await approve(action, addressed());
    await signIn({ ...asker, email: second.email as string });
    const refused = await claim(action, asker);
    expect(codes(refused)).toEqual(["POLICY_CHANGED"]);
    expect(refused.userErrors[0]?.message).toContain(second.sub);
  });
});

describe("an approver", () => {
  it("without a verified address is unknown, and enough with one more", async () => {
    const action = await proposedFor(addressed());
    const unverified = addressed({ email_verified: false });
    expect((await approve(action, unverified)).action).toMatchObject({ status: "PENDING" });
    expect(codes(await approve(action, unverified))).toEqual(["ALREADY_VOTED"]);
    expect((await approve(action, addressed())).action?.status).toBe("APPROVED");
  });

  it("without any address is enough with another one without any", async () => {
    const action = await proposedFor(addressed());
    expect((await approve(action, person())).action?.status).toBe("PENDING");
    expect((await approve(action, person())).action?.status).toBe("APPROVED");
  });

  it("with another verified address is enough alone", async () => {
    const action = await proposedFor(addressed());
    expect(await approve(action, addressed())).toMatchObject({
      action: {
        status: "APPROVED",
        policy: { requirements: [{ needed: 1, have: 1 }] },
        decisions: [{ identity: "DIFFERENT" }],
      },
    });
  });

  it.each([
    ["in another case", "Dana.Doe@Acme.Example", "dana.doe@acme.example"],
    ["with quotes", '"dana.quoted"@acme.example', "dana.quoted@acme.example"],
    ["with a domain in ASCII", "dana@bücher.example", "dana@xn--bcher-kva.example"],
    ["with a plus form at a provider that has them", "dana.p+x@outlook.com", "dana.p@outlook.com"],
    ["with dots at a provider that ignores them, under its other domain", "d.a.n.a@gmail.com", "dana+y@googlemail.com"],
  ])("is the requester with an address %s, and one approver with another", async (_, one, other) => {
    const action = await proposedFor(addressed({ email: one }));
    expect(codes(await approve(action, addressed({ email: other })))).toEqual(["REQUESTER_CANNOT_DECIDE"]);
    const asked = await proposedFor(person());
    await approve(asked, addressed({ email: one }));
    expect(codes(await approve(asked, addressed({ email: other })))).toEqual(["ALREADY_VOTED"]);
  });

  it.each(["dana+x@acme.example", "da.na@acme.example"])(
    "is another one with %s at a domain that tells",
    async (email) => {
      const action = await proposedFor(addressed({ email: "dana@acme.example" }));
      expect((await approve(action, addressed({ email }))).action?.status).toBe("APPROVED");
    },
  );
});

describe("those who answer for an invited agent", () => {
  const invite = async (agentId: string, ownerId: string) =>
    act(
      api,
      "inviteAgent",
      { agentId, displayName: agentId, ownerId },
      "admin",
      "principal{id} userErrors{code message}",
    );
  const move = async (agentId: string, ownerId: string, by: JWTPayload) =>
    act(api, "updateAgent", { agentId, ownerId }, await as(by), "principal{id} userErrors{code message}");
  const administrator = () => addressed({ roles: ["admin"] });

  async function invitedAgent() {
    const owner = addressed();
    await signIn(owner);
    const agent = `agent-${randomUUID()}`;
    expect(codes(await invite(agent, owner.sub as string))).toEqual([]);
    return { owner, agent };
  }

  it("cannot approve what it does for somebody else as its owner, by any account", async () => {
    const { owner, agent } = await invitedAgent();
    const action = await proposedFor(addressed(), agent);
    expect(codes(await approve(action, owner))).toEqual(["REQUESTER_CANNOT_DECIDE"]);
    const second = addressed({ email: owner.email as string });
    expect(codes(await approve(action, second))).toEqual(["REQUESTER_CANNOT_DECIDE"]);
    expect((await approve(action, addressed())).action?.status).toBe("APPROVED");
  });

  it("cannot approve after ownership moved: who had it, who has it now, and who moved it", async () => {
    const { owner, agent } = await invitedAgent();
    const action = await proposedFor(addressed(), agent);
    const next = addressed();
    const by = administrator();
    await signIn(next);
    expect(codes(await move(agent, next.sub as string, by))).toEqual([]);
    for (const one of [owner, next, by]) {
      expect(codes(await approve(action, one)), one.sub).toEqual(["REQUESTER_CANNOT_DECIDE"]);
    }
    expect((await approve(action, addressed())).action?.status).toBe("APPROVED");
    // Whoever moved it before the proposal, and had it before, is nobody special.
    const later = await proposedFor(addressed(), agent);
    expect((await approve(later, owner)).action?.status).toBe("APPROVED");
    const last = await proposedFor(addressed(), agent);
    expect((await approve(last, by)).action?.status).toBe("APPROVED");
  });

  it("cannot have approved: who gets the agent afterwards is found when the grant is claimed", async () => {
    const { agent } = await invitedAgent();
    const [asker, next] = [addressed(), addressed()];
    await signIn(next);
    const action = await proposedFor(asker, agent);
    expect((await approve(action, next)).action?.status).toBe("APPROVED");
    expect(codes(await move(agent, next.sub as string, administrator()))).toEqual([]);
    expect(codes(await claim(action, asker, agent))).toEqual(["POLICY_CHANGED"]);
  });

  it("may still deny", async () => {
    const { owner, agent } = await invitedAgent();
    const { id: actionId, digest } = await proposedFor(addressed(), agent);
    const denial = await act(api, "denyAction", { actionId, digest, note: "no" }, await as(owner));
    expect(denial.action?.status).toBe("DENIED");
  });
});

describe("the setting of the organization", () => {
  const set = (providers: boolean, domains: object[], by: "admin" | "approver" = "admin") =>
    act(
      api,
      "setAddressFolding",
      { providers, domains },
      by,
      "addressFolding{providers domains{domain plus dots}} entry{type} userErrors{code path}",
    );
  const domain = "b\u00fccher.example";
  const ascii = "xn--bcher-kva.example";
  afterAll(() => set(true, []));

  it("says which further addresses are one mailbox, and what was one for an action stays one", async () => {
    const [one, other] = [addressed({ email: `f.lo+x@${domain}` }), addressed({ email: `flo@${ascii}` })];
    const before = await proposedFor(one);
    expect((await approve(before, other)).action?.status).toBe("APPROVED");
    expect(await set(true, [{ domain, plus: true, dots: true }])).toEqual({
      addressFolding: { providers: true, domains: [{ domain: ascii, plus: true, dots: true }] },
      entry: { type: "SETTINGS_CHANGED" },
      userErrors: [],
    });
    // What was approved is looked at again.
    expect(codes(await claim(before, one))).toEqual(["POLICY_CHANGED"]);
    const action = await proposedFor(one);
    expect(codes(await approve(action, other))).toEqual(["REQUESTER_CANNOT_DECIDE"]);
    await set(false, []);
    expect(codes(await approve(action, other))).toEqual(["REQUESTER_CANNOT_DECIDE"]);
    expect((await approve(await proposedFor(one), other)).action?.status).toBe("APPROVED");
    const gmail = await proposedFor(addressed({ email: "f.lo@gmail.com" }));
    expect((await approve(gmail, addressed({ email: "flo@gmail.com" }))).action?.status).toBe("APPROVED");
    const { data } = await api.gql("{addressFolding{providers domains{domain}}}", {}, { as: "member" });
    expect(data).toEqual({ addressFolding: { providers: false, domains: [] } });
  });

  it("makes two who approved one person, who counts once", async () => {
    const two = await startApi(database.appUrl, { approvers: 2 });
    try {
      const [one, other] = [addressed({ email: `al.ice@${domain}` }), addressed({ email: `alice@${domain}` })];
      const signed = async (claims: JWTPayload) => ({ token: await two.sign(claims) });
      const agent = await signed(addressed({ act: { sub: "their-agent", roles: ["agent"] } }));
      const { id: actionId, digest } = (await propose(two, {}, agent)).action;
      for (const by of [one, other]) {
        const { userErrors } = await act(two, "approveAction", { actionId, digest }, await signed(by), SELECTION);
        expect(userErrors).toEqual([]);
      }
      await set(false, [{ domain, plus: true, dots: true }]);
      const claimed = await act(two, "claimGrant", { actionId }, agent, "grant{token} userErrors{code message}");
      expect(claimed.userErrors).toMatchObject([
        { code: "POLICY_CHANGED", message: expect.stringContaining("one person now") },
      ]);
    } finally {
      await set(false, []);
      await two.close();
    }
  });

  it("is for administrators, and names domains", async () => {
    const domains = (...names: string[]) => names.map((name) => ({ domain: name, plus: true, dots: false }));
    expect(codes(await set(true, [], "approver"))).toEqual(["ADMINISTRATORS_ONLY"]);
    await set(true, domains("acme.example"));
    expect(codes(await set(true, domains("ACME.example")))).toEqual(["NOTHING_CHANGED"]);
    for (const wrong of [
      ["acme"],
      ["ada@acme.example"],
      ["acme.example", "ACME.example"],
      Array(101).fill("a.example"),
    ]) {
      expect(await set(true, domains(...wrong)), wrong[0]).toMatchObject({
        entry: null,
        userErrors: [{ code: "INVALID_INPUT", path: ["input", "domains"] }],
      });
    }
  });
});
