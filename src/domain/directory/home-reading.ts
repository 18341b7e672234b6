import type { LedgerEntry, LedgerId } from "../../facts/entry.ts";
import { LedgerUnavailableError } from "../../ledger/errors.ts";
import type { Queryable } from "../../ledger/read.ts";
import { withLedgerErrors } from "../ledger-errors.ts";
import type { CopiedKind } from "./copies.ts";
import type { SignIn } from "./last-sign-in.ts";
import type { ReadingWithCopies } from "./with-copies.ts";

/** What copies have of one organization, beside its directory. */
export interface CopiedStates {
  /** The latest entry about one thing, each by its id, in the order in which they were made. */
  latest(kind: CopiedKind): ReadonlyMap<string, LedgerEntry>;
  /** A person as they last signed in, or made another entry that was copied. */
  signIn(id: string): SignIn | undefined;
}

/** Reads what the home ledgers have of organizations, or where they cannot be read the copies of other regions. */
export interface HomeReading {
  /** The result of `home`, or of `copied` where that cannot be read. Throws LedgerUnavailableError. */
  read<Result>(
    organization: string,
    home: () => Promise<Result>,
    copied: (states: CopiedStates) => Result,
  ): Promise<Result>;
  /** Whether they could not be read when that was tried last. */
  isDown(): boolean;
  /** The result of `home`, or the organizations that there are copies of, as far as these can be read, where that cannot be. Throws LedgerUnavailableError. */
  organizations(home: () => Promise<readonly string[]>): Promise<readonly string[]>;
}

const COPIED = "SELECT ledger FROM oc_state WHERE kind = 'HOME_COPY'";

export function createHomeReading(reading: ReadingWithCopies): HomeReading {
  const { copies } = reading;
  return {
    isDown: reading.isDown,
    read: (name, home, copied) =>
      reading.either(home, async () => {
        const organization = await reading.open(name);
        await reading.refresh(organization);
        return copied({
          latest: (kind) => copies.latestOf(organization, kind),
          signIn: (id) => copies.signInOf(organization, id),
        });
      }),
    organizations: (home) =>
      reading.either(home, async () => {
        const found = await Promise.allSettled(copies.places().map(({ db }) => organizationsIn(db)));
        const names = new Set(found.flatMap((one) => (one.status === "fulfilled" ? one.value : [])));
        const [failure] = found.flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []));
        // Where there is no copy, the home ledgers are asked again.
        if (names.size === 0) throw failure ?? none();
        return [...names];
      }),
  };
}

function none(): LedgerUnavailableError {
  return new LedgerUnavailableError("no region has copies of the home region", 5);
}

async function organizationsIn(db: Queryable): Promise<readonly string[]> {
  const { rows } = await withLedgerErrors(db.query<{ ledger: LedgerId }>(COPIED));
  return rows.map(({ ledger }) => ledger.slice(0, ledger.indexOf("/")));
}
