import { LRUCache } from "lru-cache";
import { POLICY_COPY_ID } from "../../facts/areas/regions.ts";
import { stateIn } from "../../facts/decode.ts";
import { ledgerOf } from "../../facts/entry.ts";
import type { Hash } from "../../facts/hash.ts";
import { LedgerUnavailableError } from "../../ledger/errors.ts";
import type { Queryable } from "../../ledger/read.ts";
import { readStates } from "../../ledger/states.ts";
import type { CommitFunction } from "../commit.ts";
import { withLedgerErrors } from "../ledger-errors.ts";
import type { Policies } from "../policy/policies.ts";

/** What the ledgers of one region record of the policies that their home region has. */
export interface PolicyCopies {
  /** Makes the policy of an organization known, and has it in the home ledger. Throws LedgerUnavailableError. */
  begin(organization: string): Promise<void>;
  /**
   * Has it in the ledger of this region that the policy with this hash, which is in force, is worked under. Does nothing when it is
   * there. Throws LedgerUnavailableError, also when another policy is in force by now.
   */
  adopt(organization: string, hash: string): Promise<void>;
}

export interface PolicyCopiesOptions {
  /** Records in this region. */
  readonly commit: CommitFunction;
  readonly db: Queryable;
  readonly region: string;
  readonly policies: Policies;
  readonly home: { readonly region: string; readonly begin: PolicyCopies["begin"] };
}

/** Organizations of which is kept what was adopted last. */
const MAX_KEPT = 10_000;

interface Loaded {
  /** The version of the copy; 0: there is none. */
  readonly version: number;
  readonly hash: Hash | undefined;
  readonly inForce: { readonly version: number; readonly hash: Hash };
  readonly home: { readonly ledger: string; readonly seq: string; readonly hash: string };
}

export function createPolicyCopies({ commit, db, region, policies, home }: PolicyCopiesOptions): PolicyCopies {
  /** The hash of the policy that was adopted last, by organization. */
  const adopted = new LRUCache<string, string>({ max: MAX_KEPT });

  async function load(organization: string): Promise<Loaded> {
    await policies.refresh(organization);
    const { inForce, changedBy } = policies.publishedBy(organization);
    if (inForce === undefined || changedBy === undefined) throw unknownPolicy();
    const ledger = ledgerOf(organization, region);
    const [copy] = await withLedgerErrors(readStates(db, ledger, "POLICY_COPY", [POLICY_COPY_ID]));
    const { version = 0, state } = (copy && stateIn(copy.latest, "POLICY_COPY")) ?? {};
    return {
      version,
      hash: state?.hash,
      inForce,
      home: { ledger: ledgerOf(organization, home.region), seq: String(changedBy.seq), hash: changedBy.hash },
    };
  }

  function record(organization: string): Promise<string> {
    return commit<Loaded, string>({
      ledger: ledgerOf(organization, region),
      by: "system",
      load: () => load(organization),
      decide({ version, hash, inForce, home }) {
        if (hash === inForce.hash) return { kind: "done", result: hash };
        return {
          kind: "record",
          fact: {
            type: "POLICY_ADOPTED",
            policy: inForce,
            home,
            states: [{ kind: "POLICY_COPY", id: POLICY_COPY_ID, version: version + 1, state: inForce }],
          },
          result: () => inForce.hash,
        };
      },
    });
  }

  return {
    begin: home.begin,
    async adopt(organization, hash) {
      if (adopted.get(organization) === hash) return;
      const found = await record(organization);
      adopted.set(organization, found);
      if (found !== hash) throw replaced();
    },
  };
}

function unknownPolicy(): LedgerUnavailableError {
  return new LedgerUnavailableError("the policy of the organization cannot be read now; nothing was recorded", 1);
}

function replaced(): LedgerUnavailableError {
  return new LedgerUnavailableError(
    "another policy came into force meanwhile; nothing was recorded: repeat the call",
    1,
  );
}
