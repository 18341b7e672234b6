import type { LedgerId } from "../../ledger/entry.ts";
import type { Reader } from "../../ledger/read.ts";
import type { PrincipalKind } from "../identity/principal.ts";
import { reading } from "../reading.ts";

// Types and not interfaces: what goes into an entry has to be JSON, which only those are known to be.

/** The public half of a key pair as a JWK (RFC 7517); `kid` is its RFC 7638 thumbprint. */
export type PublicJwk = {
  readonly kid: string;
  readonly kty: string;
  readonly crv?: string;
  readonly x?: string;
  readonly y?: string;
  readonly n?: string;
  readonly e?: string;
};

/** What is decided about a principal. Never an erasable value: names and addresses are the entries' `subject`. */
export type PrincipalState = {
  readonly kind: PrincipalKind;
  readonly suspended: boolean;
  /** Roles given here; a token may claim further ones. */
  readonly roles: readonly string[];
  /** Of an invited agent: the id of the person who answers for it. */
  readonly owner?: string;
  /** Of an invited agent: RFC 3339, by the clock of the server that invited it. */
  readonly invitedAt?: string;
  /** Platforms it may act on; undefined: those of the catalog. */
  readonly platforms?: readonly string[];
  /** RFC 7638 thumbprint of the key its tokens must be bound to. */
  readonly key?: string;
  /** The key that its statements as a gateway are signed with. */
  readonly gatewayKey?: PublicJwk;
};

/** A token that is believed no more, by `<issuer> <jti>`, or `* <jti>` whoever issued it. */
export type TokenState = {
  readonly revoked: true;
};

/** The one-time code of the first administrator. */
export type SetupState = {
  /** SHA-256 of the code, in hex. */
  readonly hash: string;
  /** RFC 3339. */
  readonly expiresAt: string;
  /** Wrong codes that were tried. */
  readonly attempts: number;
  /** The id of whoever used it. */
  readonly usedBy?: string;
};

/** The kinds of thing a directory has, with what is known of each. */
export interface States {
  readonly PRINCIPAL: PrincipalState;
  readonly TOKEN: TokenState;
  readonly SETUP: SetupState;
}
export type RecordKind = keyof States;

/** One thing of a directory as its latest entry left it. Version 1 was its first. */
export interface DirectoryRecord<State> {
  readonly version: number;
  readonly state: State;
  readonly updatedSeq: bigint;
}

/** The `directory` member of an entry's body: with it, the append moves the record, if its version is still the one before. */
export interface Moved<Kind extends RecordKind = RecordKind> {
  readonly kind: Kind;
  readonly id: string;
  readonly version: number;
  readonly state: States[Kind];
}

/** The id of the only SETUP record. */
export const ADMINISTRATOR = "administrator";

export interface ChangedRecord {
  readonly ledger: LedgerId;
  readonly kind: string;
  readonly id: string;
  readonly record: DirectoryRecord<unknown>;
}

interface Row {
  readonly ledger: LedgerId;
  readonly kind: string;
  readonly id: string;
  readonly version: number;
  readonly state: unknown;
  readonly updated_seq: string;
}

/** Rows of one ledger that one statement reads. */
const STRETCH = 1_000;

// Ordered and limited within each ledger: only its index has that order, so neither a join with the whole table, which
// looks cheaper the more directories are asked for, nor a sort of all that is known can take the place of a look at it.
const READ_CHANGES = {
  name: "oc_read_directory_changes",
  text: `
    SELECT k.ledger, d.kind, d.id, d.version, d.state, d.updated_seq
      FROM unnest($1::text[], $2::bigint[]) AS k(ledger, after)
     CROSS JOIN LATERAL (SELECT x.* FROM oc_directory x WHERE x.ledger = k.ledger AND x.updated_seq > k.after
                          ORDER BY x.updated_seq LIMIT ${STRETCH}) d
     ORDER BY d.updated_seq`,
};

interface Since {
  readonly ledger: LedgerId;
  readonly after: bigint;
}

/**
 * What has changed in each ledger's directory behind a position, oldest first: positions of one ledger are committed in
 * order, so nothing turns up behind one that was seen. Throws LedgerUnavailableError.
 */
export async function readChanges(db: Reader, since: readonly Since[]): Promise<ChangedRecord[]> {
  const changes: ChangedRecord[] = [];
  for (let due = since; due.length > 0; ) {
    const reached = new Map<LedgerId, { rows: number; after: bigint }>();
    for (const change of await readStretch(db, due)) {
      changes.push(change);
      const { ledger, record } = change;
      reached.set(ledger, { rows: (reached.get(ledger)?.rows ?? 0) + 1, after: record.updatedSeq });
    }
    due = [...reached].flatMap(([ledger, { rows, after }]) => (rows === STRETCH ? [{ ledger, after }] : []));
  }
  return changes;
}

async function readStretch(db: Reader, since: readonly Since[]): Promise<readonly ChangedRecord[]> {
  const values = [since.map(({ ledger }) => ledger), since.map(({ after }) => after)];
  const { rows } = await reading(db.query<Row>({ ...READ_CHANGES, values }));
  return rows.map(({ ledger, kind, id, version, state, updated_seq }) => ({
    ledger,
    kind,
    id,
    record: {
      version,
      state,
      updatedSeq: BigInt(updated_seq),
    },
  }));
}
