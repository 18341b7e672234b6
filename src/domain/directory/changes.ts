import type { DELEGATIONS } from "../../facts/areas/delegations.ts";
import type { DIRECTORY } from "../../facts/areas/directory.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import { Erasable } from "../../facts/erasable.ts";
import type { FactDraft } from "../../facts/registry.ts";
import { DraftRefusedError, LedgerDamagedError } from "../../ledger/errors.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import { readProvenEntry } from "../../ledger/proof.ts";
import type { Queryable } from "../../ledger/read.ts";
import { type Attribute, createCommit } from "../commit.ts";
import type { Caller } from "../identity/principal.ts";
import type { By, Profile } from "../identity/recorded.ts";
import { withLedgerErrors } from "../ledger-errors.ts";
import type { Admission } from "./admission.ts";
import { refuse } from "./errors.ts";
import type { Organization } from "./organization.ts";
import type { Projections } from "./projections.ts";
import type { PrincipalState } from "./record.ts";
import { recordedProfile } from "./snapshot.ts";

/** An entry to record: it changes one state of the directory. */
export type DirectoryFact = FactDraft<(typeof DIRECTORY | typeof DELEGATIONS)["facts"][number]["type"]>;

type Subject = FactDraft<"PRINCIPAL_INVITED">["subject"];

export interface ChangesOptions {
  readonly ledgers: Pick<Ledgers, "append" | "damaged">;
  readonly db: Queryable;
  readonly projections: Projections;
  readonly admission: Admission;
  /** Finds the session that a change belongs to. */
  readonly attribute: Attribute | "none";
}

export interface Changes {
  /**
   * Decides from the directory as the database has it and records the outcome, unless that is undefined; when somebody
   * else was faster, decides again from what they left. Throws what `decide` throws, LedgerUnavailableError.
   */
  record<Decided extends DirectoryFact | undefined>(
    organization: Organization,
    by: By,
    decide: (organization: Organization) => Decided | Promise<Decided>,
  ): Promise<LedgerEntry | Extract<Decided, undefined>>;
  /** The same for what only an administrator may do. Throws DirectoryRefusal. */
  administer(
    caller: Caller,
    decide: (organization: Organization) => DirectoryFact | Promise<DirectoryFact>,
  ): Promise<{
    readonly organization: Organization;
    readonly entry: LedgerEntry;
  }>;
  /** The `subject` of an entry that leaves principal `id` as `state`: its profile is carried on unless a new one comes. */
  subject(organization: Organization, id: string, state: PrincipalState, profile?: Profile): Promise<Subject>;
}

export function createChanges({ ledgers, db, projections, admission, attribute }: ChangesOptions): Changes {
  const commit = createCommit({ ledgers, attribute });
  const changes: Changes = {
    record<Decided extends DirectoryFact | undefined>(
      organization: Organization,
      by: By,
      decide: (organization: Organization) => Decided | Promise<Decided>,
    ) {
      type Entry = LedgerEntry | Extract<Decided, undefined>;
      let lostAt: number | undefined;
      return commit<number, Entry>({
        ledger: organization.ledger,
        by,
        async load() {
          await projections.refresh(organization);
          // Whoever was faster left an entry; without one, the append compared the draft with rows that no entry made.
          if (lostAt === organization.generation) throw contradicted(organization);
          return organization.generation;
        },
        async decide(generation) {
          const decided = await decide(organization);
          // `decide` may have read twice, with a change in between: its result would mix two states.
          if (organization.generation !== generation) return { kind: "again" };
          if (decided === undefined) return { kind: "done", result: decided as Extract<Decided, undefined> };
          const [moved] = decided.states;
          return {
            kind: "record",
            fact: decided,
            // Nobody makes or ends what is over.
            notAfter: moved.kind === "DELEGATION" ? new Date(moved.state.expiresAt) : undefined,
            result(entry) {
              if (organization.applyEntry(moved, entry)) projections.notify(organization);
              return entry;
            },
            lost(error) {
              if (error instanceof DraftRefusedError && error.moved(moved.kind)) lostAt = generation;
              return undefined;
            },
          };
        },
      });
    },
    async administer(caller, decide) {
      const organization = await projections.open(caller.principal.organization);
      const entry = await changes.record(organization, caller, (fresh) => {
        if (!admission.administers(fresh, caller.principal)) {
          throw refuse("ADMINISTRATORS_ONLY", "this is for administrators, who are people");
        }
        return decide(fresh);
      });
      return { organization, entry };
    },
    async subject(organization, id, { kind }, profile) {
      const { displayName, email, emailVerified } = profile ?? (await profileOf(db, organization, id));
      return { id, kind, profile: new Erasable({ displayName, email, emailVerified }) };
    },
  };
  return changes;
}

function contradicted({ ledger }: Organization): LedgerDamagedError {
  return new LedgerDamagedError(ledger, "the rows of its directory in oc_state are not what its entries say");
}

async function profileOf(db: Queryable, organization: Organization, id: string): Promise<Profile> {
  const record = organization.principals.get(id);
  const entry = record && (await withLedgerErrors(readProvenEntry(db, organization.ledger, record.updatedSeq)));
  return entry === undefined ? {} : recordedProfile(entry, id);
}
