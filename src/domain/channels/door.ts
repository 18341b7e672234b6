import { type LedgerId, ledgerOf } from "../../facts/entry.ts";
import type { Queryable } from "../../ledger/read.ts";
import type { Actions } from "../actions/actions.ts";
import { ActionRefusal } from "../actions/errors.ts";
import type { Caller } from "../identity/principal.ts";
import type { Accounts } from "./accounts.ts";
import type { Decided, Door, OpenChannel } from "./driver.ts";
import type { Messages } from "./message.ts";
import { type NoticeChanges, readNotices } from "./notices.ts";

export interface DoorOptions {
  readonly db: Queryable;
  /** The region that has the channels and the actions of an organization. */
  readonly region: string;
  readonly accounts: Accounts;
  readonly actions: Pick<Actions, "approve" | "deny" | "load">;
  readonly messages: Messages;
  readonly changes: Pick<NoticeChanges, "opened">;
}

/** What a request of a channel may do, once the channel has verified where it comes from. */
export function createDoor({ db, region, accounts, actions, messages, changes }: DoorOptions): Door {
  const ledgerIn = ({ organization }: OpenChannel): LedgerId => ledgerOf(organization, region);

  const isNoticed = async (channel: OpenChannel, actionId: string) =>
    (await readNotices(db, ledgerIn(channel), [actionId], [channel.name])).length > 0;

  async function messageOf(channel: OpenChannel, actionId: string) {
    if (!(await isNoticed(channel, actionId))) return undefined;
    return messages.of(ledgerIn(channel), actionId, channel);
  }

  /** Whether the person had decided so already, by this channel: a request that comes again is no other decision. */
  async function isRepeated(
    channel: OpenChannel,
    { principal }: Caller,
    actionId: string,
    verdict: "APPROVE" | "DENY",
  ): Promise<boolean> {
    const message = await messageOf(channel, actionId);
    return (
      message?.decisions.some(
        (one) => one.by === principal.id && one.verdict === verdict && one.channel === channel.kind,
      ) === true
    );
  }

  return {
    async decide(channel, account, { actionId: given, digest, verdict, note }): Promise<Decided> {
      const actionId = given.toLowerCase();
      const behind = await accounts.personBehind(channel, account);
      if (behind.outcome === "UNLINKED") return behind;
      const message = await messageOf(channel, actionId);
      if (message === undefined) {
        return { outcome: "REFUSED", code: "NOT_FOUND", reason: "this channel was told of no such action", message };
      }
      if (behind.outcome === "REFUSED") return { ...behind, message };
      const { caller } = behind;
      const input = { actionId, digest, note, channel: account.kind };
      try {
        if (verdict === "APPROVE") await actions.approve(caller, input);
        else await actions.deny(caller, input);
        return { outcome: "RECORDED", message: await messageOf(channel, actionId) };
      } catch (error) {
        if (!(error instanceof ActionRefusal)) throw error;
        const { code, message: reason } = error;
        if (await isRepeated(channel, caller, actionId, verdict)) {
          return { outcome: "REPEATED", message: await messageOf(channel, actionId) };
        }
        return { outcome: "REFUSED", code, reason, message: await messageOf(channel, actionId) };
      }
    },
    link: accounts.link,
    async opened(channel, account, actionId) {
      const behind = await accounts.personBehind(channel, account);
      if (behind.outcome !== "PERSON") return;
      await changes.opened(ledgerIn(channel), behind.caller, actionId.toLowerCase(), channel.name);
    },
    message: (channel, actionId) => messageOf(channel, actionId.toLowerCase()),
  };
}
