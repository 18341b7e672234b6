import { randomUUID } from "node:crypto";
import { errors, jwtVerify, SignJWT } from "jose";
import { z } from "zod";
import { asError } from "../../errors.ts";
import type { CopiedEntry } from "../../facts/areas/regions.ts";
import { ledgerOf, parseEntry } from "../../facts/entry.ts";
import { sha256Hex } from "../../facts/hash.ts";
import { LedgerUnavailableError } from "../../ledger/errors.ts";
import { provenEntry } from "../../ledger/proof.ts";
import type { IsSigned } from "../../ledger/signatures/check.ts";
import type { HomeChanges, HomeSince, HomeSource } from "./home-source.ts";

/**
 * How a server without the home region's database gets copies from one that has it: a request and a response, each a JWT (RFC 7519) with a
 * MAC under a secret of the installation's keys. The audience of the response is the id of the request.
 */

/** The path at which a server of the home region receives these requests. */
export const HOME_PATH = "/regions/home";
/** Bytes of a request: those about 500 organizations have some 60 kB. */
export const MAX_REQUEST = 256 * 1024;

const ALGORITHM = "HS256";
/** Seconds for which a request or a response is accepted, and by which the clocks of two servers may differ. */
const LIFETIME = 60;
const MAX_ASKED = 500;
/** Characters of entries after which a response ends: the next request asks for the rest. */
const MAX_CHARACTERS = 2 * 1024 * 1024;
const MAX_RESPONSE = 64 * 1024 * 1024;
const TIMEOUT = 20_000;

const position = z.string().regex(/^(0|[1-9]\d{0,18})$/);
const organization = z.string().min(1).max(256);
const copies = z.array(z.object({ entry: z.string(), payload: z.record(z.string(), z.any()) }));
const requestClaims = z.object({
  jti: z.string().min(1).max(100),
  since: z
    .array(
      z.object({
        organization,
        after: position,
        copied: z.object({ seq: position, hash: z.string().max(64) }),
        withSignIns: z.boolean(),
      }),
    )
    .max(MAX_ASKED),
});
const responseClaims = z.object({
  changes: z.array(
    z.object({
      organization,
      after: position,
      upTo: position,
      hash: z.string().optional(),
      entries: copies,
      signIns: copies,
      isOther: z.boolean(),
    }),
  ),
});

export interface HomeExchange {
  /** Name of the home region. */
  readonly region: string;
  /** 32 bytes that every server of the installation has. */
  readonly secret: Uint8Array;
}

/** Responds to requests of servers of other regions. */
export type RespondHome = (request: string) => Promise<string | undefined>;

/** Returns the response to a request; undefined if no server of this installation made it. Throws LedgerUnavailableError. */
export function createHomeResponder({ region, secret }: HomeExchange, home: HomeSource): RespondHome {
  return async (request) => {
    const claims = await opened(request, secret, `home ${region}`);
    const asked = requestClaims.safeParse(claims);
    if (!asked.success) return undefined;
    const { jti, since } = asked.data;
    const changes = [];
    let size = 0;
    for await (const one of home.changes(since.map(sinceOf))) {
      changes.push({ ...one, after: String(one.after), upTo: String(one.upTo) });
      size += JSON.stringify([one.entries, one.signIns]).length;
      if (size > MAX_CHARACTERS) break;
    }
    return sealed({ changes }, secret, jti);
  };
}

function sinceOf({ after, copied, ...one }: z.infer<typeof requestClaims>["since"][number]): HomeSince {
  return { ...one, after: BigInt(after), copied: { ...copied, seq: BigInt(copied.seq) } };
}

export interface RemoteHomeOptions extends HomeExchange {
  /** Scheme, host and port of a server of the home region. */
  readonly address: string;
  readonly isSigned: IsSigned;
}

/** Reads the home ledgers from a server of the home region. Verifies its response as if it came from a database. */
export function createRemoteHome({ address, region, secret, isSigned }: RemoteHomeOptions): HomeSource {
  const over = new AbortController();

  async function ask(jti: string, since: Parameters<HomeSource["changes"]>[0]): Promise<string> {
    const body = await sealed(
      {
        since: since.map((one) => ({
          ...one,
          after: String(one.after),
          copied: { ...one.copied, seq: String(one.copied.seq) },
        })),
      },
      secret,
      `home ${region}`,
      jti,
    );
    const response = await fetch(new URL(HOME_PATH, address), {
      method: "POST",
      body,
      headers: { "content-type": "application/jwt" },
      redirect: "error",
      signal: AbortSignal.any([AbortSignal.timeout(TIMEOUT), over.signal]),
    });
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      throw new Error(`it responds with status ${response.status}`);
    }
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of response.body) {
      size += chunk.length;
      if (size > MAX_RESPONSE) throw new Error(`its response is larger than ${MAX_RESPONSE} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString();
  }

  function check(one: CopiedEntry, ledger: ReturnType<typeof ledgerOf>): void {
    const seq = String(parseEntry(one.entry).seq);
    const entry = provenEntry(ledger, { seq, entry: one.entry, hash: sha256Hex(one.entry), payload: one.payload });
    if (!isSigned(entry)) throw new Error(`no server signed entry ${seq} of ${ledger}`);
  }

  return {
    stop: () => over.abort(),
    async *changes(since) {
      const jti = randomUUID();
      let found: z.infer<typeof responseClaims>;
      try {
        const claims = await opened(await ask(jti, since), secret, jti);
        found = responseClaims.parse(claims);
        for (const { organization: name, entries, signIns } of found.changes) {
          for (const one of [...entries, ...signIns]) check(one, ledgerOf(name, region));
        }
      } catch (error) {
        throw unreachable(address, error);
      }
      for (const { after, upTo, hash, ...one } of found.changes) {
        yield { ...one, after: BigInt(after), upTo: BigInt(upTo), hash } satisfies HomeChanges;
      }
    },
  };
}

function sealed(claims: object, secret: Uint8Array, audience: string, jti?: string): Promise<string> {
  const token = new SignJWT({ ...claims })
    .setProtectedHeader({ alg: ALGORITHM })
    .setAudience(audience)
    .setIssuedAt()
    .setExpirationTime(`${LIFETIME}s`);
  return (jti === undefined ? token : token.setJti(jti)).sign(secret);
}

/** The claims of a token that a server of this installation made for `audience`; undefined for any other. */
async function opened(token: string, secret: Uint8Array, audience: string): Promise<object | undefined> {
  try {
    const options = { algorithms: [ALGORITHM], audience, clockTolerance: LIFETIME, maxTokenAge: LIFETIME };
    return (await jwtVerify(token, secret, options)).payload;
  } catch (error) {
    if (error instanceof errors.JOSEError) return undefined;
    throw error;
  }
}

function unreachable(address: string, cause: unknown): LedgerUnavailableError {
  return new LedgerUnavailableError(`the home region cannot be read at ${address} now`, 5, asError(cause));
}
