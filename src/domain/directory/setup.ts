import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { LedgerEntry } from "../../facts/entry.ts";
import { instant } from "../../facts/entry.ts";
import { readProvenEntry } from "../../ledger/proof.ts";
import type { Queryable } from "../../ledger/read.ts";
import type { Caller, Principal } from "../identity/principal.ts";
import { withLedgerErrors } from "../ledger-errors.ts";
import type { DirectoryResult } from "./agents.ts";
import type { Changes } from "./changes.ts";
import { type DirectoryRefusal, refuse } from "./errors.ts";
import { checkCode } from "./input.ts";
import { isAdministrator, type Organization } from "./organization.ts";
import type { Projections } from "./projections.ts";
import { ADMINISTRATOR, type PrincipalState, type SetupState } from "./record.ts";

/** Milliseconds a code can be used for. */
const LIFETIME = 24 * 3600 * 1000;
/** Wrong codes after which a person is refused the right one, too. Others are not: the code has 140 random bits. */
const MAX_ATTEMPTS = 10;
/** Crockford's base 32: no letter is taken for a digit. Seven groups of four are 140 bits. */
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const GROUPS = 7;
const GROUP = 4;

export interface SetupCode {
  /** Given out once; only its hash is kept. */
  readonly code: string;
  readonly expiresAt: Date;
}

/** How an organization without administrators gets its first. */
export interface Setup {
  /**
   * A new code for `organization`, to be printed for its operator only; undefined when there is an administrator or a valid
   * code. Of concurrent servers, one gets it. Throws LedgerUnavailableError.
   */
  ensureSetupCode(organization: string): Promise<SetupCode | undefined>;
  /** Makes the caller, a person, an administrator. Throws DirectoryRefusal, LedgerUnavailableError. */
  claimAdministrator(caller: Caller, input: { readonly code: string }): Promise<DirectoryResult>;
}

export function createSetup(changes: Changes, projections: Projections, db: Queryable): Setup {
  /** Records that `caller` tried a wrong code. Concurrent attempts are all counted. */
  async function countAttempt(organization: Organization, caller: Caller): Promise<void> {
    await changes.record(organization, caller, (fresh) => {
      const setup = usable(fresh);
      if (setup === undefined || hasTriedOften(fresh, caller)) return undefined;
      const state = { ...setup, attempts: setup.attempts + 1 };
      return { type: "SETUP_CODE_REFUSED", states: [fresh.next("SETUP", ADMINISTRATOR, state)] };
    });
  }

  async function use(organization: Organization, caller: Caller, code: string): Promise<void> {
    await changes.record(organization, caller, (fresh) => {
      // A concurrent call of the same person used the code; the remaining step is the same.
      if (wasUsedBy(fresh, caller.principal, code)) return undefined;
      const setup = usable(fresh);
      if (setup === undefined || hasTriedOften(fresh, caller) || !matches(setup, code)) throw invalidCode();
      const state = { ...setup, usedBy: caller.principal.id };
      return { type: "SETUP_CODE_USED", states: [fresh.next("SETUP", ADMINISTRATOR, state)] };
    });
  }

  /** Appoints the caller, who used the code. Returns the entry, also that of an earlier call with a lost response. */
  async function appoint(organization: Organization, caller: Caller): Promise<LedgerEntry> {
    const { id } = caller.principal;
    const appointed = await changes.record(organization, caller, async (fresh) => {
      if (!isUnfinished(fresh, id)) return undefined;
      const before: PrincipalState = fresh.principals.get(id)?.state ?? NOTHING_YET;
      const state: PrincipalState = {
        ...before,
        roles: [...new Set([...before.roles, "admin"])].sort(),
      };
      const subject = await changes.subject(fresh, id, state, caller.principal);
      return { type: "PRINCIPAL_ROLES_CHANGED", subject, states: [fresh.next("PRINCIPAL", id, state)] };
    });
    if (appointed !== undefined) return appointed;
    const record = organization.principals.get(id);
    const entry = record && (await withLedgerErrors(readProvenEntry(db, organization.ledger, record.updatedSeq)));
    // What was taken away since does not come back with an old code.
    if (record === undefined || entry === undefined || !isAdministrator(record.state)) throw invalidCode();
    return entry;
  }

  return {
    async ensureSetupCode(name) {
      const organization = await projections.open(name);
      const code = freshCode();
      const expiresAt = new Date(Date.now() + LIFETIME);
      const entry = await changes.record(organization, "system", (fresh) => {
        if (fresh.administrators().length > 0 || usable(fresh) !== undefined) return undefined;
        const state: SetupState = {
          hash: hashOf(code).toString("hex"),
          expiresAt: instant(expiresAt),
          attempts: 0,
        };
        return { type: "SETUP_CODE_ISSUED", states: [fresh.next("SETUP", ADMINISTRATOR, state)] };
      });
      return entry && { code, expiresAt };
    },
    async claimAdministrator(caller, { code }) {
      const { principal } = caller;
      if (principal.kind !== "HUMAN") throw refuse("HUMANS_ONLY", "administrators are people");
      checkCode(code);
      const organization = await projections.open(principal.organization);
      await projections.refresh(organization);
      const kind = organization.principals.get(principal.id)?.state.kind ?? principal.kind;
      if (kind !== "HUMAN")
        throw refuse("HUMANS_ONLY", "an agent is registered here by your id: it would be appointed");
      if (!wasUsedBy(organization, principal, code)) {
        const setup = usable(organization);
        if (setup === undefined || hasTriedOften(organization, caller)) throw invalidCode();
        if (!matches(setup, code)) {
          await countAttempt(organization, caller);
          throw invalidCode();
        }
        await use(organization, caller, code);
      }
      return {
        principalId: principal.id,
        entry: await appoint(organization, caller),
      };
    },
  };
}

const NOTHING_YET: PrincipalState = {
  kind: "HUMAN",
  suspended: false,
  roles: [],
};

/** The same message for every fault, so that attempts reveal nothing. */
function invalidCode(): DirectoryRefusal {
  return refuse("SETUP_CODE_INVALID", "the code is wrong, used or expired, or you tried too often", "code");
}

function isAlive({ expiresAt }: SetupState): boolean {
  return Date.parse(expiresAt) > Date.now();
}

/** The code nobody has used so far, of an organization that has nobody to administer it. */
function usable(organization: Organization): SetupState | undefined {
  const state = organization.setup?.state;
  if (state === undefined || state.usedBy !== undefined) return undefined;
  return isAlive(state) && organization.administrators().length === 0 ? state : undefined;
}

/** Whether the caller tried so many wrong codes that no other is looked at. Of their own alone: nobody can void a code for others. */
function hasTriedOften({ wrongCodes }: Organization, { principal }: Caller): boolean {
  return (wrongCodes.get(principal.id) ?? 0) >= MAX_ATTEMPTS;
}

/** Whether `principal` used this very code, and may repeat the call. */
function wasUsedBy({ setup }: Organization, { id }: Principal, code: string): boolean {
  return setup?.state.usedBy === id && isAlive(setup.state) && matches(setup.state, code);
}

/** Whether the person who used the code has no entry since. */
function isUnfinished({ setup, principals }: Organization, id: string): boolean {
  const changed = principals.get(id)?.updatedSeq ?? 0n;
  return setup?.state.usedBy === id && changed < setup.updatedSeq;
}

function freshCode(): string {
  // 256 is a multiple of 32, so every letter is as likely as the others.
  const letters = Array.from(randomBytes(GROUPS * GROUP), (byte) => ALPHABET[byte % ALPHABET.length]).join("");
  return Array.from({ length: GROUPS }, (_, at) => letters.slice(at * GROUP, (at + 1) * GROUP)).join("-");
}

/** Case, hyphens and blanks do not count, and letters that look like digits are those digits. */
function hashOf(code: string): Buffer {
  const plain = code.toUpperCase().replace(/[\s-]/g, "").replace(/O/g, "0").replace(/[IL]/g, "1");
  return createHash("sha256").update(plain).digest();
}

function matches({ hash }: SetupState, code: string): boolean {
  const expected = Buffer.from(hash, "hex");
  const given = hashOf(code);
  return expected.length === given.length && timingSafeEqual(expected, given);
}
