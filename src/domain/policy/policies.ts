import { canonicalize } from "../../facts/canonical.ts";
import type { Hash } from "../../facts/hash.ts";
import { LedgerUnavailableError } from "../../ledger/errors.ts";
import { compilePolicy } from "./compile.ts";
import { PolicyDocumentError } from "./document/problems.ts";
import { readPolicy } from "./document/read.ts";
import { type Policy, policyOf } from "./evaluate.ts";

/** A policy document as it was published. */
export interface PublishedDocument {
  readonly version: number;
  readonly hash: Hash;
  /** YAML or JSON. */
  readonly document: string;
  /** The action that proposed it; undefined for what servers start with. */
  readonly action?: string | undefined;
}

/** What an organization has published. */
export interface PublishedPolicy {
  /** How often that changed: 0 before anything was evaluated. */
  readonly record: number;
  /** The entry that changed it last; undefined before anything was evaluated. */
  readonly changedBy?: { readonly seq: bigint; readonly hash: string } | undefined;
  /** The highest number of a version so far. */
  readonly latest: number;
  /** What entries say is in force; undefined before anything was evaluated. */
  readonly inForce: { readonly version: number; readonly hash: Hash } | undefined;
  /** In force; undefined before the first publication: the policy that the server starts with. */
  readonly active: PublishedDocument | undefined;
  /** Evaluated as well, without effect. */
  readonly shadow: PublishedDocument | undefined;
  /** The policies that servers started with, as far as entries have them, oldest first. */
  readonly starters: readonly PublishedDocument[];
}

/** The same with the policy that servers start with. */
export interface Published extends PublishedPolicy {
  readonly starter: PublishedDocument;
}

/** The policies of all organizations, as this server knows them. */
export interface Policies {
  /** Makes the policy of an organization known that nobody called for lately. Throws LedgerUnavailableError. */
  open(organization: string): Promise<void>;
  /** The policy in force. Throws LedgerUnavailableError when it is not known, or not readable by this server. */
  of(organization: string): Policy;
  /** The policy with this hash, where it is one that is still known: in force, beside it, or one that servers started with. Throws LedgerUnavailableError. */
  withHash(organization: string, hash: string): Policy | undefined;
  /** What is evaluated beside it, if anything. Throws LedgerUnavailableError. */
  shadowOf(organization: string): Policy | undefined;
  /** Throws LedgerUnavailableError. */
  publishedBy(organization: string): Published;
  /** The policy that this server starts with, where it is in force and no entry has it. Throws LedgerUnavailableError. */
  unrecorded(organization: string): PublishedDocument | undefined;
  /** Reads what was published before this call. Throws LedgerUnavailableError. */
  refresh(organization: string): Promise<void>;
}

export interface PoliciesOptions {
  readonly starter: Policy;
  /** Returns undefined where that was not read lately. Default: nobody has published anything. */
  readonly publishedBy?: ((organization: string) => PublishedPolicy | undefined) | undefined;
  /** Reads it. Default: there is nothing to read. */
  readonly open?: ((organization: string) => Promise<void>) | undefined;
}

/** Compiled documents that are kept. */
const MAX_COMPILED = 200;
const NOTHING: PublishedPolicy = {
  record: 0,
  latest: 1,
  inForce: undefined,
  active: undefined,
  shadow: undefined,
  starters: [],
};

export function createPolicies({ starter, publishedBy = () => NOTHING, open }: PoliciesOptions): Policies {
  const compiled = new Map<string, Policy>();
  const { version, hash, document } = starter;
  const begun: PublishedDocument = { version, hash, document: canonicalize(document) };

  function compile(published: PublishedDocument): Policy {
    const key = `${published.version} ${published.hash}`;
    const known = compiled.get(key);
    // The least recently used comes first.
    compiled.delete(key);
    const policy =
      known ??
      policyOf(
        readable(published, () => compilePolicy(readPolicy(published.document))),
        published.version,
      );
    compiled.set(key, policy);
    const [oldest] = compiled.keys();
    if (compiled.size > MAX_COMPILED && oldest !== undefined) compiled.delete(oldest);
    return policy;
  }

  function published(organization: string): Published {
    const found = publishedBy(organization);
    if (found === undefined) {
      throw new LedgerUnavailableError("the policy of the organization cannot be read now; nothing was recorded", 1);
    }
    return { ...found, starter: begun };
  }

  return {
    publishedBy: published,
    async open(organization) {
      if (publishedBy(organization) === undefined) await open?.(organization);
    },
    async refresh(organization) {
      await open?.(organization);
    },
    unrecorded(organization) {
      // Where nothing is read, nothing is recorded either.
      if (open === undefined) return undefined;
      const { active, starters } = published(organization);
      return active === undefined && !starters.some((one) => one.hash === hash) ? begun : undefined;
    },
    of(organization) {
      const { active } = published(organization);
      return active === undefined ? starter : compile(active);
    },
    withHash(organization, wanted) {
      if (starter.hash === wanted) return starter;
      const { active, shadow, starters } = published(organization);
      const found = [active, shadow, ...starters].find((one) => one?.hash === wanted);
      return found && compile(found);
    },
    shadowOf(organization) {
      const { shadow } = published(organization);
      return shadow && compile(shadow);
    },
  };
}

/** What `compile` returns. A document that this server cannot read was published by a newer one: nothing is decided without it. */
function readable<Compiled extends { readonly hash: string }>(
  { version, hash }: PublishedDocument,
  compile: () => Compiled,
): Compiled {
  let made: Compiled;
  try {
    made = compile();
  } catch (error) {
    if (!(error instanceof PolicyDocumentError)) throw error;
    const message = `version ${version} of the policy was published by a newer server, and this one cannot read it: ${error.message}`;
    throw new LedgerUnavailableError(message, 30);
  }
  if (made.hash === hash) return made;
  throw new LedgerUnavailableError(`version ${version} of the policy has another hash than was recorded`, 30);
}
