import { randomUUID } from "node:crypto";
import { decodeJwt } from "jose";
import { act, type Proposed, propose, READ } from "../graphql/steps.ts";
import type { Api } from "../http/harness.ts";

/** Arguments by the name of their variable. */
export type Arguments = Readonly<Record<string, string>>;

/** What one person left behind in one area. */
export interface Trace {
  /** JSON that an answer has only if it shows this. */
  readonly marks: readonly string[];
  readonly variables: Arguments;
}

/** Somebody who leaves traces. */
export interface Doer {
  readonly api: Api;
  readonly id: string;
  readonly token: string;
  /** A token of an administrator of the same organization, for what is done about the doer. */
  administrator(): Promise<string>;
}

/** An area of the product whose things some may read and others may not. */
export interface TracedArea {
  /** The variables that name what was left, with their types. */
  readonly types: Arguments;
  /** Makes something that is the doer's, or about them. */
  leave(doer: Doer): Promise<Trace>;
  /** Values of the variables that name nothing in `ledger`. */
  nothing(ledger: string): Arguments;
}

const quoted = (...texts: readonly string[]) => texts.map((text) => JSON.stringify(text));
const nodeId = (type: string, ledger: string, key: string) =>
  Buffer.from(`${type}:${ledger}:${key}`).toString("base64url");

/** An action that waits for people. */
const actions: TracedArea = {
  types: { action: "ID!", uuid: "ID!", entry: "ID!", seq: "Sequence!", hash: "Hash!", chain: "UUID!" },
  async leave({ api, token }) {
    // So that the write has an edge.
    await propose(api, READ, { token });
    const { action, entry }: Proposed = await propose(api, {}, { token });
    const { id, uuid, chainHash } = action;
    return {
      // Not the hash: the next entry names it too.
      marks: quoted(id, uuid, chainHash, entry.id),
      variables: { action: id, uuid, entry: entry.id, seq: entry.seq, hash: entry.hash, chain: chainHash },
    };
  },
  nothing(ledger) {
    const uuid = randomUUID();
    return {
      action: nodeId("Action", ledger, uuid),
      uuid,
      entry: nodeId("AuditEntry", ledger, "98765432"),
      seq: "98765432",
      hash: `sha256:${"1".repeat(64)}`,
      chain: randomUUID(),
    };
  },
};

const sessions: TracedArea = {
  types: { session: "ID!" },
  async leave({ api, token }) {
    const selection = "session{id}";
    const { session } = await act<{ session: { id: string } }>(api, "startSession", {}, { token }, selection);
    return { marks: quoted(session.id), variables: { session: session.id } };
  },
  nothing: (ledger) => ({ session: nodeId("Session", ledger, randomUUID()) }),
};

/** Whoever acts is known. Entries, actions and sessions name people too: only probes about principals look for them. */
const principals: TracedArea = {
  types: { doer: "ID!" },
  leave: async ({ id }) => ({ marks: [`"id":"${id}"`], variables: { doer: id } }),
  nothing: () => ({ doer: "nobody-at-all" }),
};

/** Every organization has the policy that servers start with. */
const policies: TracedArea = {
  types: { policyVersion: "ID!" },
  async leave({ api, token }) {
    const { action }: Proposed = await propose(api, {}, { token });
    const [, ledger = ""] = /^Action:(.*):/.exec(Buffer.from(action.id, "base64url").toString()) ?? [];
    const policyVersion = nodeId("PolicyVersion", ledger, "starter");
    return { marks: quoted(policyVersion), variables: { policyVersion } };
  },
  nothing: (ledger) => ({ policyVersion: nodeId("PolicyVersion", ledger, randomUUID()) }),
};

/** A right that somebody lends the doer, or lends another person in their place where the doer is none. */
const delegations: TracedArea = {
  types: { delegation: "ID!" },
  async leave({ api, id, token }) {
    const { org, kind, act: agent } = decodeJwt(token);
    const isPerson = kind === "HUMAN" && agent === undefined;
    const person = (sub: string) => ({ sub, org, kind: "HUMAN", name: sub, roles: [], groups: ["lenders"] });
    const lender = { token: await api.sign(person(`lender ${randomUUID()}`)) };
    const friend = { token: await api.sign(person(`friend of ${id}`)) };
    // Whom something is lent to is known.
    await act(api, "startSession", {}, isPerson ? { token } : friend, "userErrors{code}");
    const input = {
      toPrincipalId: isPerson ? id : `friend of ${id}`,
      group: "lenders",
      endsAt: new Date(Date.now() + 86_400_000).toISOString(),
    };
    const selection = "delegation{id} userErrors{code}";
    const { delegation, userErrors } = await act<{ delegation: { id: string }; userErrors: object }>(
      api,
      "delegateApprovals",
      input,
      lender,
      selection,
    );
    if (delegation === null) throw new Error(JSON.stringify(userErrors));
    return { marks: quoted(delegation.id), variables: { delegation: delegation.id } };
  },
  nothing: (ledger) => ({ delegation: nodeId("Delegation", ledger, randomUUID()) }),
};

/** A channel that nothing goes to, which an administrator configured. */
const channels: TracedArea = {
  types: { channel: "String!" },
  async leave({ api, administrator }) {
    const name = `c-${randomUUID()}`;
    const webhook = { url: "https://hooks.acme.example/", signingSecrets: [`whsec_${"A".repeat(32)}`] };
    const as = { token: await administrator() };
    await act(api, "configureChannel", { name, groups: [name], webhook }, as, "userErrors{code}");
    return { marks: quoted(name), variables: { channel: name } };
  },
  nothing: () => ({ channel: `c-${randomUUID()}` }),
};

/** What everybody leaves behind, area by area. A new area has to be added here. */
export const AREAS = { actions, sessions, principals, policies, delegations, channels } as const satisfies Readonly<
  Record<string, TracedArea>
>;
export type AreaName = keyof typeof AREAS;
