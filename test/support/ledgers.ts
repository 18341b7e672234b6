import type { Pool } from "pg";
import { type Sealed, seal, type UnsealedObject } from "../../src/facts/commitment.ts";
import type { LedgerId } from "../../src/facts/entry.ts";
import { canPermit } from "../../src/facts/permits.ts";
import { createLedgers as create, type Ledgers, type LedgersOptions } from "../../src/ledger/ledger.ts";
import { createSignatureCheck } from "../../src/ledger/signatures/check.ts";
import type { FactSigner } from "../../src/ledger/signatures/signer.ts";
import { type LedgerVerification, type VerifyOptions, verifyLedger as verify } from "../../src/ledger/verify.ts";
import { FACT_KEY, FACT_KEYS } from "./fact-keys.ts";

/** The ledgers of a process that signs with the key of tests. */
export function createLedgers(options: Omit<LedgersOptions, "signer"> & Partial<LedgersOptions>): Ledgers {
  return create({ signer: FACT_KEY.sign, ...options });
}

/** A verification by the key of tests. */
export function verifyLedger(
  pool: Pool,
  ledger: LedgerId,
  options: Partial<VerifyOptions> = {},
): Promise<LedgerVerification> {
  return verify(pool, ledger, { keys: FACT_KEYS, ...options });
}

/** Whether an entry is signed with the key of tests. */
export const { isSigned } = createSignatureCheck({ keys: () => FACT_KEYS });

/** The RFC 8785 text of a body, signed where it can permit something. */
export function signed(ledger: LedgerId, unsigned: string, sign: FactSigner = FACT_KEY.sign): string {
  const members = JSON.parse(unsigned) as UnsealedObject;
  return canPermit(members) ? seal({ ...members, signature: sign(ledger, unsigned) }).body : unsigned;
}

/** A body with its own id, as the append of a server makes it: signed where it can permit something. */
export function sealSigned(ledger: LedgerId, body: UnsealedObject, sign: FactSigner = FACT_KEY.sign): Sealed {
  const { body: unsigned, payload } = seal(body);
  return { body: signed(ledger, unsigned, sign), payload };
}
