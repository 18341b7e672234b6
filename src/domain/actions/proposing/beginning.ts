import { POLICY_ID } from "../../../facts/dependencies.ts";
import { ledgerOf } from "../../../facts/entry.ts";
import type { CommitFunction } from "../../commit.ts";
import type { Policies } from "../../policy/policies.ts";

export interface BeginningOptions {
  readonly commit: CommitFunction;
  readonly policies: Policies;
  readonly region: string;
}

/**
 * Makes the policy of an organization known, and records the one that this server starts with where it is in force and no entry has it: what
 * proposals are evaluated by is always in the ledger. Throws LedgerUnavailableError.
 */
export function createBeginning({
  commit,
  policies,
  region,
}: BeginningOptions): (organization: string) => Promise<void> {
  const underWay = new Map<string, Promise<void>>();

  async function record(organization: string): Promise<void> {
    await commit<void, void>({
      ledger: ledgerOf(organization, region),
      by: "system",
      // Another server may have recorded it, or somebody have published another one.
      load: () => policies.refresh(organization),
      decide() {
        const starter = policies.unrecorded(organization);
        if (starter === undefined) return { kind: "done", result: undefined };
        const { hash, document } = starter;
        const version = policies.publishedBy(organization).record + 1;
        return {
          kind: "record",
          fact: {
            type: "POLICY_STARTED",
            starter: { hash, document },
            states: [{ kind: "POLICY", id: POLICY_ID, version, state: { version: 1, hash, latest: 1 } }],
          },
          result: () => undefined,
        };
      },
    });
    await policies.refresh(organization);
  }

  return async (organization) => {
    await policies.open(organization);
    if (policies.unrecorded(organization) === undefined) return;
    let recording = underWay.get(organization);
    if (recording === undefined) {
      recording = record(organization).finally(() => underWay.delete(organization));
      underWay.set(organization, recording);
    }
    await recording;
  };
}
