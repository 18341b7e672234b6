import { randomUUID } from "node:crypto";
import type { DemoName } from "../../src/domain/identity/demo-principals.ts";
import type { Api } from "../http/harness.ts";

/** Selections and steps that several tests take. */
export const ACTION = `id uuid status platform tool effect region arguments userRequest rationale rendered digest
  requestedBy{id kind onBehalfOf{id email}} client{name confidence modelConfidence evidence}
  policy{outcome reason policyHash version matchedRules{ruleId outcome because reason} requirements{id group needed have}}
  chainHash sourceChainHash viewerCanDecide viewerBlockedBecause expiresAt latencyMs result`;
export const ENTRY =
  "id seq type recordedAt actor{id} platform tool effect chainHash sourceChainHash arguments result latencyMs body canonical prevHash hash";

export const WRITE = { platform: "reservations", tool: "book_reservation" };
export const READ = { platform: "crm", tool: "get_user_details" };

export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly path: readonly string[];
}

/** What a proposal answers, as far as tests look into it themselves. */
export interface Proposed {
  readonly action: {
    readonly id: string;
    readonly uuid: string;
    readonly status: string;
    readonly digest: string;
    readonly chainHash: string;
    readonly sourceChainHash: string | null;
    readonly arguments: unknown;
    readonly requestedBy: unknown;
    readonly policy: unknown;
    readonly expiresAt: string | null;
  };
  readonly grant: { readonly token: string; readonly expiresAt: string } | null;
  readonly entry: { readonly id: string; readonly seq: string; readonly hash: string; readonly canonical: string };
  readonly userErrors: readonly Refusal[];
}

/** What another mutation about an action answers; each selects a part of it. */
export interface Acted {
  readonly action: {
    readonly status: string;
    readonly entries: readonly { readonly type: string; readonly body: { readonly reason?: string } }[];
  } | null;
  readonly grant: Proposed["grant"];
  readonly userErrors: readonly Refusal[];
}

type As = DemoName | { readonly token: string };
const credentials = (as: As) => (typeof as === "string" ? { as } : as);

export async function propose(
  api: Api,
  input: object = {},
  as: As = "agent",
  selection = `action{${ACTION}} grant{token expiresAt} entry{${ENTRY}}`,
) {
  const { data, errors } = await api.gql<{ proposeAction: Proposed }>(
    `mutation($input:ProposeActionInput!){proposeAction(input:$input){${selection} userErrors{code message path}}}`,
    { input: { idempotencyKey: randomUUID(), arguments: { user_id: "mia" }, repeat: true, ...WRITE, ...input } },
    credentials(as),
  );
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data.proposeAction;
}

/** Any mutation about an action, by its name. */
export async function act<Data = Acted>(
  api: Api,
  mutation: string,
  input: object,
  as: As,
  selection = "action{status} userErrors{code path}",
): Promise<Data> {
  const type = `${mutation[0]?.toUpperCase()}${mutation.slice(1)}Input`;
  const { data, errors } = await api.gql<Readonly<Record<string, Data>>>(
    `mutation($input:${type}!){${mutation}(input:$input){${selection}}}`,
    { input },
    credentials(as),
  );
  const answer = data?.[mutation];
  if (errors !== undefined || answer === undefined) throw new Error(JSON.stringify(errors));
  return answer;
}
