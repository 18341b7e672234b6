import { EncryptJWT, errors, jwtDecrypt } from "jose";
import { z } from "zod";

/** A sign-in that is under way, as the browser keeps it: nobody but us can read or make one. */
export interface Transaction {
  readonly issuer: string;
  readonly state: string;
  readonly nonce: string;
  /** RFC 7636, section 4.1. */
  readonly verifier: string;
  /** Where the browser is redirected afterwards: an address of this server. */
  readonly returnTo: string;
}

/** A transaction that came back in time. */
export interface OpenedTransaction extends Transaction {
  /** Seconds since the epoch from which it is too old. */
  readonly exp: number;
}

export interface Transactions {
  seal(transaction: Transaction): Promise<string>;
  /** Undefined when the text was not encrypted by us or is too old. */
  open(sealed: string): Promise<OpenedTransaction | undefined>;
}

/** Seconds a person has for signing in at the provider. */
export const TRANSACTION_LIFETIME = 600;

const KEYS = { alg: "dir", enc: "A256GCM" } as const;
const TYPE = "countersign-sign-in+jwt";

const schema = z.object({
  issuer: z.string(),
  state: z.string().min(1),
  nonce: z.string().min(1),
  verifier: z.string().min(1),
  returnTo: z.string(),
  exp: z.number(),
});

export interface TransactionsOptions {
  /** 32 bytes. */
  readonly secret: Uint8Array;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export function createTransactions({ secret, now }: TransactionsOptions): Transactions {
  return {
    seal: (transaction) =>
      new EncryptJWT({ ...transaction })
        .setProtectedHeader({ ...KEYS, typ: TYPE })
        .setExpirationTime(Math.floor(now() / 1000) + TRANSACTION_LIFETIME)
        .encrypt(secret),
    async open(sealed) {
      try {
        const { payload } = await jwtDecrypt(sealed, secret, {
          keyManagementAlgorithms: [KEYS.alg],
          contentEncryptionAlgorithms: [KEYS.enc],
          typ: TYPE,
          requiredClaims: ["exp"],
          currentDate: new Date(now()),
        });
        return schema.parse(payload);
      } catch (error) {
        if (error instanceof errors.JOSEError || error instanceof z.ZodError) return undefined;
        throw error;
      }
    },
  };
}
