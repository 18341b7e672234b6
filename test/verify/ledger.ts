import { hash } from "node:crypto";
import { seal, type UnsealedObject } from "../../src/facts/commitment.ts";
import { entryText, GENESIS_HASH } from "../../src/facts/entry.ts";
import { Erasable } from "../../src/facts/erasable.ts";
import { combine, EMPTY_DIGEST } from "../../src/verify/digest.ts";
import { createIdSet } from "../../src/verify/ids.ts";
import { createPiece, type PieceReport } from "../../src/verify/piece.ts";
import type { Sha256, StoredEntry, StoredState } from "../../src/verify/rows.ts";
import type { Rules } from "../../src/verify/rules.ts";
import type { LedgerProblem } from "../../src/verify/verdict.ts";

export const LEDGER = "acme/eu";
export const sha256: Sha256 = (bytes) => hash("sha256", bytes, "hex");

/** Changes to a value that is read only. */
export type Changed<Row> = { -readonly [Member in keyof Row]: Row[Member] };

/** A ledger as it is stored. */
export interface Stored {
  readonly entries: StoredEntry[];
  readonly states: StoredState[];
}

export const uuid = (n: number): string => `01920000-0000-7000-8000-${String(n).padStart(12, "0")}`;

interface CheckedEntry {
  readonly kind: string;
  readonly id: string;
  readonly version: number;
  readonly state: { readonly status?: string; readonly expiresAt?: string };
}

type Said = Record<string, string | undefined> & { readonly states?: readonly CheckedEntry[] };

const idOf = (value: unknown) => (value as { readonly id?: string } | undefined)?.id ?? null;

/** The search columns that the database derives from a body. */
export function columnsOf(recordedAt: string, said: Said): readonly (string | null)[] {
  return [
    recordedAt,
    said.id ?? null,
    said.type ?? null,
    idOf(said.actor),
    idOf(said.onBehalfOf),
    said.session ?? null,
    said.action ?? null,
    said.states === undefined ? null : String(said.states[0]?.version),
    said.platform ?? null,
    said.tool ?? null,
    said.effect ?? null,
    said.chain ?? null,
    said.sourceChain ?? null,
  ];
}

/** What the append function makes of bodies: each the body of one entry, in order. */
export function store(bodies: readonly UnsealedObject[]): Stored {
  const entries: StoredEntry[] = [];
  const states = new Map<string, Changed<StoredState>>();
  let prevHash = GENESIS_HASH;
  for (const [at, body] of bodies.entries()) {
    const seq = BigInt(at + 1);
    const recordedAt = `2026-11-22T10:00:${String(Math.floor(at / 10) % 60).padStart(2, "0")}.000000Z`;
    const sealed = seal({ id: uuid(at + 1), ...body });
    const said = JSON.parse(sealed.body) as Said;
    const text = entryText({ body: sealed.body, ledger: LEDGER, prevHash, recordedAt, seq });
    const bytes = Buffer.from(text);
    const columns = columnsOf(recordedAt, said);
    const payload = sealed.payload === "" ? null : Buffer.from(sealed.payload);
    entries.push({
      seq,
      entry: bytes,
      hash: sha256(bytes),
      prevHash,
      columns,
      payload,
      payloadTime: payload && recordedAt,
    });
    prevHash = sha256(bytes);
    for (const { kind, version, state, ...thing } of said.states ?? []) {
      const key = `${kind} ${thing.id}`;
      const before = states.get(key) ?? {
        kind,
        id: thing.id,
        actorId: idOf(said.actor),
        onBehalfOfId: idOf(said.onBehalfOf),
        conversation: said.conversation ?? "",
        firstSeq: seq,
        entries: [],
      };
      states.set(key, {
        ...before,
        version,
        state: JSON.stringify(state),
        status: state.status ?? null,
        expiresAt: state.expiresAt ?? null,
        updatedSeq: seq,
        entries: [...before.entries, seq],
        hash: prevHash,
      });
    }
  }
  return { entries, states: [...states.values()] };
}

export const created: UnsealedObject = { actor: { id: "countersign" }, type: "LEDGER_CREATED" };

export function note(text: string, more: UnsealedObject = {}): UnsealedObject {
  return { actor: { id: "tester", kind: "HUMAN" }, text: new Erasable(text), type: "NOTE", ...more };
}

/** An entry that moves one thing. */
export function moves(kind: string, id: string, version: number, status: string, more: UnsealedObject = {}) {
  return note(`${kind} ${id} is ${status}`, { states: [{ kind, id, version, state: { status } }], ...more });
}

/** What a verification in pieces that end at `cuts` finds; the whole is a range from the first position on. */
export function check(
  { entries, states }: Stored,
  { cuts = [], rules = {}, to = BigInt(entries.length) }: { cuts?: readonly bigint[]; rules?: Rules; to?: bigint } = {},
): { readonly problems: readonly LedgerProblem[]; readonly agree: boolean; readonly reports: readonly PieceReport[] } {
  const range = { from: 1n, to };
  const ends = [...cuts, to];
  const sorted = entries.toSorted((a, b) => (a.seq < b.seq ? -1 : a.seq > b.seq ? 1 : 0));
  const reports = ends.map((end, at) => {
    const from = at === 0 ? 1n : ends[at - 1]! + 1n;
    const within = states.filter(({ updatedSeq }) => updatedSeq <= end && (at === 0 || updatedSeq >= from));
    const options = { ledger: LEDGER, range, digestKey: "k".repeat(32), sha256, rules, limit: 100 };
    const piece = createPiece({ ...options, piece: { from, to: end }, states: within });
    for (const row of sorted) if (row.seq >= from - 1n && row.seq <= end) piece.next(row);
    return piece.end();
  });
  const ids = createIdSet(100);
  for (const report of reports) ids.add(report.ids);
  const repeated = ids.repeated.map(({ seq, id }): LedgerProblem => {
    return { verdict: "RULE_BROKEN", seq, detail: `an earlier entry has the id ${id}` };
  });
  return {
    problems: [...reports.flatMap(({ problems }) => problems), ...repeated],
    agree: reports.reduce((sum, { digest }) => combine(sum, digest), EMPTY_DIGEST) === EMPTY_DIGEST,
    reports,
  };
}
