import { type LedgerId, ledgerOf } from "../../facts/entry.ts";
import type { Queryable } from "../../ledger/read.ts";
import type { ActionView } from "../actions/action.ts";
import type { Actions } from "../actions/actions.ts";
import { ActionRefusal } from "../actions/errors.ts";
import { termsOf } from "../actions/terms.ts";
import type { Caller, Principal } from "../identity/principal.ts";
import type { Accounts } from "./accounts.ts";
import type { Decided, Door, OpenChannel } from "./driver.ts";
import type { Messages } from "./message.ts";
import { type NoticeChanges, readNotice } from "./notices.ts";

/** A region that has actions, and the notices about them. */
export interface DoorPlace {
  readonly region: string;
  readonly db: Queryable;
  readonly actions: Pick<Actions, "approve" | "deny" | "load">;
  readonly messages: Messages;
  readonly changes: Pick<NoticeChanges, "opened">;
}

export interface DoorOptions {
  readonly accounts: Accounts;
  /** Of all regions that are reached, the home region first. */
  readonly places: () => readonly DoorPlace[];
  /** Whether the channel is in use as it was opened: a connection may be older than what was configured since. */
  readonly isCurrent: (channel: OpenChannel) => Promise<boolean>;
}

const OUTDATED =
  "this channel was removed, or configured otherwise: press again in a while, or decide where you sign in";

/** Whether the action was asked for by the person, or for them: that they looked says nothing of whether those who were asked did. */
export function isRequester({ proposal }: ActionView, { id }: Principal): boolean {
  const { requestedBy } = termsOf(proposal);
  return id === requestedBy.id || id === requestedBy.onBehalfOf?.id;
}

/** What a request of a channel may do, once the channel has verified where it comes from. */
export function createDoor({ accounts, places, isCurrent }: DoorOptions): Door {
  const ledgerIn = ({ organization }: OpenChannel, { region }: DoorPlace): LedgerId => ledgerOf(organization, region);

  /** Where the channel was told of the action. One region that is down keeps no other from being looked at. */
  async function placeOf(channel: OpenChannel, actionId: string): Promise<DoorPlace | undefined> {
    let failure: unknown;
    for (const place of places()) {
      try {
        const notice = await readNotice(place.db, ledgerIn(channel, place), actionId, channel.name);
        if (notice !== undefined) return place;
      } catch (error) {
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
    return undefined;
  }

  async function messageOf(channel: OpenChannel, actionId: string) {
    const place = await placeOf(channel, actionId);
    return place?.messages.of(ledgerIn(channel, place), actionId, channel);
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
      if (!(await isCurrent(channel))) {
        return { outcome: "REFUSED", code: "NOT_FOUND", reason: OUTDATED, message: undefined };
      }
      const behind = await accounts.personBehind(channel, account);
      if (behind.outcome === "UNLINKED") return behind;
      const place = await placeOf(channel, actionId);
      const message = await place?.messages.of(ledgerIn(channel, place), actionId, channel);
      if (place === undefined || message === undefined) {
        return { outcome: "REFUSED", code: "NOT_FOUND", reason: "this channel was told of no such action", message };
      }
      if (behind.outcome === "REFUSED") return { ...behind, message };
      const { caller } = behind;
      const input = { actionId, digest, note, channel: account.kind };
      try {
        if (verdict === "APPROVE") await place.actions.approve(caller, input);
        else await place.actions.deny(caller, input);
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
    async link(channel, account, code) {
      if (!(await isCurrent(channel))) return { outcome: "REFUSED", reason: OUTDATED };
      return accounts.link(channel, account, code);
    },
    async opened(channel, account, actionId) {
      const behind = await accounts.personBehind(channel, account);
      if (behind.outcome !== "PERSON") return;
      const place = await placeOf(channel, actionId.toLowerCase());
      const view = await place?.actions.load(behind.caller, actionId.toLowerCase());
      if (view === undefined || isRequester(view, behind.caller.principal)) return;
      await place?.changes.opened(ledgerIn(channel, place), behind.caller, actionId.toLowerCase(), channel.name);
    },
    message: (channel, actionId) => messageOf(channel, actionId.toLowerCase()),
  };
}
