import { OWN_PLATFORM } from "../../facts/areas/policy.ts";
import { canonicalize } from "../../facts/canonical.ts";
import { instant, ledgerOf } from "../../facts/entry.ts";
import { hashText } from "../../facts/hash.ts";
import { newId } from "../../facts/random.ts";
import type { Queryable } from "../../ledger/read.ts";
import type { Actions, ProposeResult } from "../actions/actions.ts";
import { checkReason, checkText, MAX_NOTE } from "../actions/input.ts";
import type { CommitFunction } from "../commit.ts";
import { databaseTime } from "../database-time.ts";
import type { Directory } from "../directory/directory.ts";
import type { Caller } from "../identity/principal.ts";
import { PolicyTooSlowError, type TrialResult, type TryPolicy } from "../policy/apart.ts";
import type { CasesReport } from "../policy/cases.ts";
import { describeChanges } from "../policy/diff.ts";
import { PolicyDocumentError } from "../policy/document/problems.ts";
import { PUBLISH_POLICY } from "../policy/floor.ts";
import type { Policies } from "../policy/policies.ts";
import { PublicationRefusal, type PublicationRefusalCode } from "./errors.ts";
import { requiredOfNobody } from "./unreached.ts";

export interface PublishInput {
  /** A policy document in YAML or JSON. */
  readonly document: string;
  readonly note: string;
  /** To be evaluated beside the one in force, without effect. */
  readonly shadow?: boolean | undefined;
}

export interface Publishing {
  /**
   * Proposes a policy document, as an action that another administrator approves. Nothing changes until then. Throws
   * PublicationRefusal, ActionRefusal, BusyError, LedgerUnavailableError.
   */
  publish(caller: Caller, input: PublishInput): Promise<ProposeResult>;
}

export interface PublishingOptions {
  readonly actions: Pick<Actions, "proposeOwn">;
  readonly directory: Pick<Directory, "administers" | "hasOtherAdministrator" | "isReached">;
  readonly policies: Policies;
  readonly tryPolicy: TryPolicy;
  readonly commit: CommitFunction;
  readonly db: Queryable;
  readonly region: string;
  /** Seconds that people have to decide. */
  readonly approvalTtl: number;
}

/** How long what nobody else can approve waits, in milliseconds. */
const ALONE_MS = 24 * 3_600_000;
/** Seconds that are left then. */
const AFTERWARDS = 48 * 3_600;
/** Of a list in a message, and UTF-16 code units of an item. */
const LISTED = 10;
const LONGEST = 500;

export function createPublishing(options: PublishingOptions): Publishing {
  const { actions, directory, policies, tryPolicy, commit, db, region, approvalTtl } = options;

  /** Records that a document was refused, and throws why. */
  function refuse(caller: Caller, document: string, code: Refused, message: string): Promise<never> {
    return commit<undefined, never>({
      ledger: ledgerOf(caller.principal.organization, region),
      by: caller,
      load: async () => undefined,
      decide: () => ({
        kind: "refuse",
        fact: { type: "POLICY_REFUSED", reason: code, hash: hashText(document.toWellFormed()) },
        error: () => new PublicationRefusal(code, message, { path: ["document"] }),
      }),
    });
  }

  async function tried(caller: Caller, document: string): Promise<TrialResult> {
    try {
      return await tryPolicy(caller.principal, (run) => run({ document, asked: [], casesAt: new Date() }));
    } catch (error) {
      if (error instanceof PolicyDocumentError || error instanceof PolicyTooSlowError) {
        return refuse(caller, document, "POLICY_INVALID", error.message);
      }
      throw error;
    }
  }

  return {
    async publish(caller, { document, note, shadow = false }) {
      // The entries record the roles of the call, which have to say so as well.
      if (!caller.principal.roles.includes("admin") || !(await directory.administers(caller))) {
        throw new PublicationRefusal("ADMINISTRATORS_ONLY", "this is for administrators, who are people");
      }
      checkText(note, "note", MAX_NOTE);
      checkReason(note, "must say why the policy is changed");
      const { hash, document: wanted, cases } = await tried(caller, document);
      const untested = cases && problemOf(cases);
      if (untested !== undefined) return refuse(caller, document, "POLICY_UNTESTED", untested);
      const { organization } = caller.principal;
      // Trying it may have taken long.
      await policies.open(organization);
      const current = policies.of(organization);
      const { latest, shadow: beside } = policies.publishedBy(organization);
      if ((shadow ? beside : current)?.hash === hash) {
        const where = shadow ? "is evaluated beside it" : "is in force";
        return refuse(caller, document, "NOTHING_CHANGED", `this document ${where} already`);
      }
      const isAlone = !(await directory.hasOtherAdministrator(caller.principal));
      const alone = isAlone ? { requesterAfter: instant(new Date((await databaseTime(db)).getTime() + ALONE_MS)) } : {};
      const ofNobody = await requiredOfNobody(directory, organization, wanted);
      const version = latest + 1;
      const mode = shadow ? "SHADOW" : "ACTIVE";
      return actions.proposeOwn(
        caller,
        {
          idempotencyKey: newId(),
          platform: OWN_PLATFORM,
          tool: PUBLISH_POLICY,
          arguments: {
            changes: describeChanges(current.document, wanted),
            ...(ofNobody.length === 0 ? {} : { nobodyIsKnownFor: ofNobody }),
            note,
            mode,
            version,
            from: current.version,
            hash,
          },
        },
        {
          region,
          ...alone,
          publishes: { mode, version, base: latest, hash, document },
          approvalTtl: isAlone ? ALONE_MS / 1_000 + AFTERWARDS : approvalTtl,
        },
      );
    },
  };
}

type Refused = Exclude<PublicationRefusalCode, "INVALID_INPUT" | "ADMINISTRATORS_ONLY">;

/** What the cases of a document do not show. */
function problemOf({ failed, untested }: CasesReport): string | undefined {
  if (failed.length > 0) {
    return `cases fail: ${some(failed.map(({ name, problem }) => `${canonicalize(name)}: ${problem}`))}`;
  }
  if (untested.length === 0) return undefined;
  return `rules that match in no case: ${some(untested)}. Add a case for each, so that its effect is shown`;
}

function some(all: readonly string[]): string {
  const more = all.length > LISTED ? `, and ${all.length - LISTED} more` : "";
  const shown = all.slice(0, LISTED);
  const texts = shown.map((one) => (one.length <= LONGEST ? one : `${one.slice(0, LONGEST)}…`.toWellFormed()));
  return `${texts.join("; ")}${more}`;
}
