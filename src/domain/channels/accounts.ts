import { z } from "zod";
import { type LedgerEntry, type LedgerId, ledgerOf } from "../../facts/entry.ts";
import { isStorable } from "../../facts/text.ts";
import { LedgerDamagedError } from "../../ledger/errors.ts";
import { readStates } from "../../ledger/states.ts";
import type { CommitFunction } from "../commit.ts";
import { databaseTime } from "../database-time.ts";
import type { Administers, Directory } from "../directory/directory.ts";
import { lastSignIn } from "../directory/last-sign-in.ts";
import { AuthenticationError } from "../identity/errors.ts";
import type { Caller, Principal } from "../identity/principal.ts";
import type { UsedOnce } from "../identity/used-once.ts";
import type { Account, Linked, OpenChannel } from "./driver.ts";
import { ChannelRefusal, refuse } from "./errors.ts";
import { readLatest } from "./latest.ts";
import type { Sealing } from "./sealing.ts";
import { type ChannelSource, organizationOf, type Recorded, readAtHome, readChannel } from "./store.ts";

/** An account that is linked to a person now. */
export interface LinkedAccount {
  /** Kind of channel, tenant and account, with slashes between. */
  readonly id: string;
  readonly principalId: string;
  /** The entry that linked it. */
  readonly entry: LedgerEntry;
}

/** The person behind an account; OUTDATED: whoever it is has to sign in again before their groups count. */
export type Behind =
  | { readonly outcome: "PERSON"; readonly caller: Caller }
  | { readonly outcome: "UNLINKED" }
  | { readonly outcome: "REFUSED"; readonly code: string; readonly reason: string };

export interface Accounts {
  /** A code for the caller, a person, to enter in a channel. Throws ChannelRefusal, LedgerUnavailableError. */
  startLink(caller: Caller, channel: string): Promise<{ readonly code: string; readonly expiresAt: Date }>;
  /** Links an account to who made `code`. Throws LedgerUnavailableError. */
  link(channel: OpenChannel, account: Account, code: string): Promise<Linked>;
  /** Ends the link of an account. Its person may do so, and administrators. Throws ChannelRefusal, LedgerUnavailableError. */
  unlink(caller: Caller, accountId: string): Promise<{ readonly account: LinkedAccount; readonly entry: LedgerEntry }>;
  /** Throws LedgerUnavailableError. */
  personBehind(channel: OpenChannel, account: Account): Promise<Behind>;
  /** The account of this id, if it is linked. Throws LedgerDamagedError, LedgerUnavailableError. */
  find(ledger: LedgerId, id: string): Promise<LinkedAccount | undefined>;
}

const CODE_SECONDS = 600;
const PURPOSE = "account link";
const MAX_ID = 400;

const person = z.object({
  organization: z.string(),
  channel: z.string(),
  nonce: z.string(),
  until: z.number(),
  /** Position up to which the directory was known. */
  since: z.string().regex(/^\d{1,19}$/),
  id: z.string(),
  email: z.string().optional(),
  emailVerified: z.literal(true).optional(),
  displayName: z.string().optional(),
  roles: z.array(z.string()),
  groups: z.array(z.string()),
});

export interface AccountsOptions extends ChannelSource {
  readonly commit: CommitFunction;
  readonly region: string;
  readonly administers: Administers;
  readonly directory: Pick<Directory, "admit" | "changedSince" | "statusOf">;
  readonly sealing: Sealing;
  readonly usedOnce: UsedOnce;
  /** Seconds for which the groups of a person's last sign-in count for what they do in a chat. */
  readonly claimsMaxAge: number;
}

export function createAccounts(options: AccountsOptions): Accounts {
  const { db, isSigned, commit, region, administers, directory, sealing, usedOnce, claimsMaxAge } = options;

  async function read(ledger: LedgerId, id: string): Promise<Recorded<"ACCOUNT"> | undefined> {
    if (id.length > MAX_ID || id === "" || !isStorable(id)) return undefined;
    const [found] = await readAtHome(
      options,
      ledger,
      "ACCOUNT",
      () => readLatest(db, ledger, "ACCOUNT", () => readStates(db, ledger, "ACCOUNT", [id])),
      (copied) => [copied.get(id)],
    );
    if (found !== undefined && !isSigned(found.latest)) {
      throw new LedgerDamagedError(ledger, `no server signed entry ${found.latest.seq}, which links an account`);
    }
    return found;
  }

  /** The time of the database, and the person as they last signed in. */
  async function signInOf(ledger: LedgerId, { principalId, entry }: LinkedAccount) {
    const home = async () => ({
      now: await databaseTime(db),
      last: await lastSignIn({ db, isSigned }, ledger, principalId, [entry.seq]),
    });
    if (options.copies === undefined) return home();
    return options.copies.read(organizationOf(ledger), home, (states) => ({
      now: new Date(),
      last: states.signIn(principalId),
    }));
  }

  function linked(found: Recorded<"ACCOUNT"> | undefined): LinkedAccount | undefined {
    if (found?.state.status !== "LINKED") return undefined;
    return { id: found.id, principalId: found.state.principal, entry: found.latest };
  }

  /** Who made the code, once: undefined where it is none, was used, or is over, or where anything was decided about the person since. */
  async function redeem({ organization, name }: OpenChannel, code: string): Promise<Principal | undefined> {
    const parsed = person.safeParse(await sealing.open(PURPOSE, code.trim()));
    if (!parsed.success || parsed.data.organization !== organization || parsed.data.channel !== name) return undefined;
    const { nonce, until, since, id, email, emailVerified, displayName, roles, groups } = parsed.data;
    const used = await usedOnce.use({ scope: `account link ${organization}`, holder: id, id: nonce, until });
    if (used !== "FIRST") return undefined;
    // What the directory took away meanwhile may be among the roles that the code has, and the link would have them as new.
    if (await directory.changedSince(organization, id, BigInt(since))) return undefined;
    return {
      id,
      kind: "HUMAN",
      organization,
      roles,
      groups,
      ...(email === undefined ? {} : { email }),
      ...(emailVerified === undefined ? {} : { emailVerified }),
      ...(displayName === undefined ? {} : { displayName }),
    };
  }

  return {
    async startLink({ principal }, name) {
      if (principal.kind !== "HUMAN" || principal.onBehalfOf !== undefined) {
        throw refuse("HUMANS_ONLY", "only people have accounts in chats that they decide with");
      }
      const { organization, id, email, emailVerified, displayName, roles, groups } = principal;
      const channel = await readChannel(options, ledgerOf(organization, region), name);
      if (channel?.isActive !== true || (channel.kind !== "SLACK" && channel.kind !== "TEAMS")) {
        throw refuse("NOT_FOUND", "there is no chat of this name: `channels` lists what is in use", "channel");
      }
      const until = Math.floor((await databaseTime(db)).getTime() / 1_000) + CODE_SECONDS;
      const nonce = crypto.randomUUID();
      const since = String(directory.statusOf(organization)?.position ?? 0n);
      const who = {
        organization,
        channel: name,
        nonce,
        until,
        since,
        id,
        email,
        emailVerified,
        displayName,
        roles,
        groups,
      };
      return { code: await sealing.seal(PURPOSE, who), expiresAt: new Date(until * 1_000) };
    },
    async link(channel, account, code) {
      const principal = await redeem(channel, code);
      const invalid = "this code is not valid: make a new one with startAccountLink and enter it within ten minutes";
      if (principal === undefined) return { outcome: "REFUSED", reason: invalid };
      const caller = callerFor(channel, principal);
      const ledger = ledgerOf(channel.organization, region);
      const id = accountId(account);
      try {
        await admitted(directory, channel, principal);
        return await commit<Recorded<"ACCOUNT"> | undefined, Linked>({
          ledger,
          by: caller,
          load: () => read(ledger, id),
          decide(found) {
            if (found?.state.status === "LINKED") {
              if (found.state.principal === principal.id) {
                return { kind: "done", result: { outcome: "LINKED", principalId: principal.id } };
              }
              throw refuse("ACCOUNT_TAKEN", "this account is linked to another person, who has to unlink it first");
            }
            return {
              kind: "record",
              fact: {
                type: "ACCOUNT_LINKED",
                channel: channel.name,
                states: [
                  {
                    kind: "ACCOUNT",
                    id,
                    version: (found?.version ?? 0) + 1,
                    state: { status: "LINKED", principal: principal.id },
                  },
                ],
              },
              result: () => ({ outcome: "LINKED", principalId: principal.id }),
            };
          },
        });
      } catch (error) {
        if (error instanceof ChannelRefusal || error instanceof AuthenticationError) {
          return { outcome: "REFUSED", reason: error.message };
        }
        throw error;
      }
    },
    unlink(caller, id) {
      const ledger = ledgerOf(caller.principal.organization, region);
      return commit({
        ledger,
        by: caller,
        load: () => read(ledger, id),
        async decide(found) {
          const account = linked(found);
          const isOwn = caller.principal.kind === "HUMAN" && account?.principalId === caller.principal.id;
          if (found === undefined || account === undefined || !(isOwn || (await administers(caller)))) {
            throw refuse("NOT_FOUND", "there is no such account that is linked to you", "accountId");
          }
          const state = { status: "UNLINKED", principal: account.principalId } as const;
          return {
            kind: "record" as const,
            fact: {
              type: "ACCOUNT_UNLINKED" as const,
              note: undefined,
              states: [{ kind: "ACCOUNT" as const, id, version: found.version + 1, state }] as const,
            },
            result: (entry: LedgerEntry) => ({ account, entry }),
          };
        },
      });
    },
    async personBehind(channel, account) {
      const ledger = ledgerOf(channel.organization, region);
      const found = linked(await read(ledger, accountId(account)));
      if (found === undefined) return { outcome: "UNLINKED" };
      const { now, last } = await signInOf(ledger, found);
      const since = new Date(now.getTime() - claimsMaxAge * 1_000);
      const outdated: Behind = {
        outcome: "REFUSED",
        code: "SIGN_IN_AGAIN",
        reason: "sign in once, with a browser or by startSession, so that your groups are known, and press again",
      };
      if (last === undefined) return outdated;
      try {
        const caller = callerFor(channel, await admitted(directory, channel, last.principal));
        if (new Date(last.entry.recordedAt) < since) return outdated;
        // What the directory took away since then may be among the roles that were recorded.
        const changed = await directory.changedSince(channel.organization, found.principalId, last.entry.seq);
        return changed ? outdated : { outcome: "PERSON", caller };
      } catch (error) {
        if (!(error instanceof AuthenticationError)) throw error;
        return { outcome: "REFUSED", code: error.reason, reason: error.message };
      }
    },
    find: async (ledger, id) => linked(await read(ledger, id)),
  };
}

export function accountId({ kind, tenant, id }: Account): string {
  return `${kind}/${tenant}/${id}`;
}

/** `principal` with what the directory says now. Throws AuthenticationError for one who is suspended. */
async function admitted(
  directory: Pick<Directory, "admit">,
  { kind }: OpenChannel,
  principal: Principal,
): Promise<Principal> {
  const inAMinute = Math.floor(Date.now() / 1_000) + 60;
  const presented = { principal, issuer: `channel:${kind}`, expiresAt: inAMinute, method: kind.toLowerCase() };
  return (await directory.admit(presented)).principal;
}

/** The person, who acts through `channel`. */
function callerFor({ organization, kind, name }: OpenChannel, principal: Principal): Caller {
  return {
    principal,
    client: {
      name: kind.toLowerCase(),
      confidence: "REGISTERED",
      modelConfidence: "UNKNOWN",
      evidence: {},
    },
    method: kind.toLowerCase(),
    submittedBy: { id: `channel:${name}`, kind: "SERVICE", organization, roles: [], groups: [] },
  };
}
