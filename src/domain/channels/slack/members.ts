import { LRUCache } from "lru-cache";
import { z } from "zod";
import { DeliveryError } from "../driver.ts";
import type { SlackChannel } from "./settings.ts";
import { type SlackApi, SlackError } from "./web-api.ts";

/** What has to be said of somebody before they may decide; whoever Slack says less of is refused. */
const member = z.object({
  id: z.string(),
  team_id: z.string(),
  deleted: z.literal(false),
  is_bot: z.literal(false),
  is_restricted: z.literal(false),
  is_ultra_restricted: z.literal(false),
  is_stranger: z.literal(false).optional(),
});

/** Milliseconds for which somebody counts as a member after they were looked up. */
const REMEMBERED = 60_000;
const MOST = 1_000;
/** Milliseconds: a dialog has to be opened within three seconds of the press. */
const TIMEOUT = 2_500;

/** Why an account may not decide; undefined: it is of a full member of the workspace. */
export type MemberCheck = (channel: SlackChannel, userId: string) => Promise<string | undefined>;

const NOT_A_MEMBER =
  "Nothing was decided: only full members of this workspace decide here, not guests, people of other organizations or bots.";

/** `now`: milliseconds. */
export function createMemberCheck({ api, now }: { readonly api: SlackApi; readonly now: () => number }): MemberCheck {
  const members = new LRUCache<string, true>({ max: MOST, ttl: REMEMBERED, ttlResolution: 0, perf: { now } });
  return async ({ organization, name, configuredAt, settings, secrets }, userId) => {
    const key = JSON.stringify([organization, name, String(configuredAt), userId]);
    if (members.has(key)) return undefined;
    try {
      const { user } = await api("users.info", secrets.botToken, { user: userId }, { timeout: TIMEOUT });
      const { success, data } = member.safeParse(user);
      if (!success || data.id !== userId || data.team_id !== settings.teamId) return NOT_A_MEMBER;
    } catch (error) {
      if (error instanceof SlackError && error.code === "user_not_found") return NOT_A_MEMBER;
      if (error instanceof DeliveryError) {
        return "Nothing was decided: Slack did not say whether you are a member of this workspace. Press again in a moment.";
      }
      throw error;
    }
    members.set(key, true);
    return undefined;
  };
}
