import type { ClientBase } from "pg";
import type { JsonValue } from "../../src/facts/canonical.ts";
import { seal, type UnsealedObject } from "../../src/facts/commitment.ts";
import type { LedgerId } from "../../src/facts/entry.ts";
import { actionBodies, uuid } from "../ledger/verify.fixture.ts";
import { FACT_KEY } from "./fact-keys.ts";

/** A proposal that was recorded. */
export interface Step {
  readonly ledger: LedgerId;
  readonly seq: string;
  readonly hash: string;
  readonly chain: string;
  readonly platform: string;
}

export interface StepInput {
  /** The name of its chain. */
  readonly chain: string;
  readonly platform: string;
  /** Steps that it draws on: a write where there are any, otherwise a read. */
  readonly observed?: readonly Step[];
  readonly possible?: readonly Step[];
  readonly agent?: string;
  readonly person?: string;
  readonly region?: string;
  /** The chain that it names as its source, and nothing more. */
  readonly sourceChain?: string;
  /** Further members of its lineage, and its reads: it is a write. */
  readonly lineage?: Readonly<Record<string, JsonValue>>;
  readonly reads?: {
    readonly known: readonly (Step & { readonly region: string })[];
    readonly unread: readonly string[];
  };
}

let number = 0;
/** Of something else: nobody verifies it when edges are read, and signing takes longer than all the rest. */
const SIGNATURE = FACT_KEY.sign("acme/eu", "{}");

/** The id of the chain of this name. */
export const chainId = (name: string): string => uuid(`chain ${name}`, 0);

function bodyOf(ledger: LedgerId, input: StepInput): UnsealedObject {
  number += 1;
  const [life] = actionBodies(number * 4);
  const { chain, platform, observed = [], possible = [], sourceChain, reads } = input;
  const hasLineage = observed.length + possible.length > 0 || input.lineage !== undefined;
  const writes = hasLineage || sourceChain !== undefined || reads !== undefined;
  const place = (step: Step) => ({
    chain: step.chain,
    platform: step.platform,
    region: "eu",
    ledger: step.ledger,
    seq: step.seq,
    hash: step.hash,
  });
  const lineage = {
    observed: observed.map((step) => ({ ...place(step), values: 3, whole: 3, strength: 90 })),
    possible: possible.map((step) => ({ ...place(step), reads: 2 })),
    origins: [],
    ...input.lineage,
  };
  const known = reads?.known.map(({ chain: _chain, ...read }) => read);
  const { sourceChain: _source, ...rest } = life as UnsealedObject & { readonly sourceChain?: string };
  const action = uuid("graph action", number);
  return {
    ...rest,
    signature: SIGNATURE,
    id: uuid("graph draft", number),
    actor: { id: input.agent ?? "graph-agent", kind: "AGENT", roles: ["agent"], groups: [] },
    ...(input.person === undefined
      ? { onBehalfOf: undefined }
      : { onBehalfOf: { id: input.person, kind: "HUMAN", roles: [], groups: [] } }),
    action,
    platform,
    tool: writes ? "write_row" : "read_row",
    effect: writes ? "WRITE" : "READ",
    region: input.region ?? ledger.slice(ledger.indexOf("/") + 1),
    chain: chainId(chain),
    ...(sourceChain === undefined ? {} : { sourceChain: chainId(sourceChain) }),
    ...(hasLineage ? { lineage } : {}),
    ...(known === undefined ? {} : { reads: { known, unread: [...(reads?.unread ?? [])] } }),
    states: [
      {
        kind: "ACTION",
        id: action,
        version: 1,
        state: { status: "PENDING", approvals: 0, expiresAt: "2099-11-22T23:45:27.499390Z" },
      },
    ],
  };
}

/** Records steps, in one append, by the function that servers append with: their edges come with them. Their signature is none of theirs. */
export async function appendSteps(
  client: ClientBase,
  ledger: LedgerId,
  inputs: readonly StepInput[],
): Promise<readonly Step[]> {
  const drafts = inputs.map((input) => seal(bodyOf(ledger, input)));
  const { rows } = await client.query<{ ordinal: number; refusal: string | null; seq: string; hash: string }>(
    "SELECT ordinal, refusal, seq, encode(hash, 'hex') AS hash FROM oc_ledger_append($1, $2, $3) ORDER BY ordinal",
    [ledger, drafts.map(({ body }) => body).join("\n"), drafts.map(({ payload }) => payload).join("\n")],
  );
  return rows.map(({ refusal, seq, hash }, at) => {
    if (refusal !== null) throw new Error(`a step was refused: ${refusal}`);
    const { chain, platform } = inputs[at] as StepInput;
    return { ledger, seq, hash, chain: chainId(chain), platform };
  });
}
