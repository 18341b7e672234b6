import { defineFact, defineState, made, type Step, steps } from "../definition.ts";
import { code, erasable, flag, instant, list, object, text, uuid } from "../schema.ts";

/** The ways by which people are told of actions and decide on them outside the API, and what was sent. */

export const CHANNEL_KINDS = ["SLACK", "TEAMS", "EMAIL", "WEBHOOK"] as const;
export type ChannelKind = (typeof CHANNEL_KINDS)[number];
/** Why a notice was not sent, or is not tried any more. */
export const NOTICE_FAILURES = ["GAVE_UP", "REFUSED", "NOT_NEEDED", "CHANNEL_REMOVED"] as const;
export type NoticeFailure = (typeof NOTICE_FAILURES)[number];

export const CHANNEL = defineState("CHANNEL", {
  description: "a way by which people are told of actions",
  id: "its name within the organization",
  namedBy: { path: "channel" },
  state: object(
    {
      status: code(["ACTIVE", "REMOVED"], "whether anything is sent there"),
      kind: code(CHANNEL_KINDS, "what it is"),
      groups: list(text("a group"), "the groups whose requests go there; none: those of every group"),
    },
    "the channel from this entry on",
  ),
});

export const ACCOUNT = defineState("ACCOUNT", {
  description: "an account of another service that is known to be a person's",
  id: "kind of channel, team or tenant, and account, with slashes between. No condition says that it is of this form",
  state: object(
    {
      status: code(["LINKED", "UNLINKED"], "whether what the account does is the person's doing"),
      principal: text("id of the person"),
    },
    "the account from this entry on",
  ),
});

export const NOTICE = defineState("NOTICE", {
  description: "that people are told of one action by one channel",
  id: "the action's UUID and the name of the channel, with a slash between",
  state: object(
    {
      status: code(["QUEUED", "SENT", "FAILED"], "what became of it"),
      opened: flag("whether one of those it went to has opened it"),
      sentAt: instant("when the other side accepted it, by the clock of the server that sent it").optional(),
      openedAt: instant("when it was first opened, by the clock of the server").optional(),
      message: text("what names it at the other side, where it can be changed there").optional(),
    },
    "the notice from this entry on",
  ),
  conditions: { needs: { SENT: ["sentAt"] } },
});

const channel = text("the name of the channel");
const note = erasable<string>("why, as the person who did it wrote it").optional();
const notice = object(
  {
    action: uuid("the action it is about"),
    channel,
    kind: code(CHANNEL_KINDS, "what the channel is"),
  },
  "which notice it is",
);
/** Each status to itself. */
const unmoved: readonly Step[] = ["QUEUED", "SENT", "FAILED"].map((status) => [status, status]);

export const CHANNELS_AREA = {
  states: [CHANNEL, ACCOUNT, NOTICE],
  facts: [
    defineFact("CHANNEL_CONFIGURED", {
      description: "a channel is used from here on, or used otherwise",
      members: {
        channel,
        settings: erasable<object>("where it leads, by its kind"),
        secrets: erasable<string>("what it is used with, encrypted with a key that no database has").optional(),
        note,
      },
      moves: { CHANNEL: [...made("ACTIVE"), ...steps(["ACTIVE", "REMOVED"], ["ACTIVE"])] },
      permits: true,
      conditions: { by: ["ADMINISTRATOR"] },
    }),
    defineFact("CHANNEL_REMOVED", {
      description: "nothing goes there any more, and nothing that comes from there counts",
      members: { channel, note },
      moves: { CHANNEL: steps(["ACTIVE"], ["REMOVED"]) },
      permits: true,
      conditions: { by: ["ADMINISTRATOR"], keeps: ["kind", "groups"] },
    }),
    defineFact("ACCOUNT_LINKED", {
      description: "a person says, signed in, that an account of another service is theirs",
      members: { channel },
      moves: { ACCOUNT: [...made("LINKED"), ...steps(["UNLINKED"], ["LINKED"])] },
      permits: true,
      conditions: { by: ["HUMAN"], records: { "actor.id": "principal" } },
    }),
    defineFact("ACCOUNT_UNLINKED", {
      description: "what the account does is nobody's doing from here on",
      members: { note },
      moves: { ACCOUNT: steps(["LINKED"], ["UNLINKED"]) },
      permits: true,
      conditions: { by: ["HUMAN"], keeps: ["principal"] },
    }),
    defineFact("NOTICE_QUEUED", {
      description: "people are to be told of an action; nothing is sent before",
      members: { notice },
      moves: { NOTICE: made("QUEUED") },
      conditions: { by: ["SYSTEM"], sets: { opened: false }, lacks: ["sentAt", "openedAt", "message"] },
    }),
    defineFact("NOTICE_SENT", {
      description: "the other side accepted it",
      members: {
        notice,
        to: erasable<string>(
          "where it went: the place that the channel led to, of those who were to be told the ones accepted",
        ),
      },
      moves: { NOTICE: steps(["QUEUED"], ["SENT"]) },
      conditions: { by: ["SYSTEM"], keeps: ["opened", "openedAt"] },
    }),
    defineFact("NOTICE_FAILED", {
      description: "it was not sent, and is not tried any more",
      members: { notice, reason: code(NOTICE_FAILURES, "why") },
      moves: { NOTICE: steps(["QUEUED"], ["FAILED"]) },
      conditions: { by: ["SYSTEM"], keeps: ["opened", "openedAt", "sentAt", "message"] },
    }),
    defineFact("NOTICE_RETRIED", {
      description: "an administrator has it tried again",
      members: { notice },
      moves: { NOTICE: steps(["FAILED"], ["QUEUED"]) },
      conditions: { by: ["ADMINISTRATOR"], keeps: ["opened", "openedAt", "sentAt", "message"] },
    }),
    defineFact("NOTICE_OPENED", {
      description: "one of those it went to opened it, the first of them",
      members: { notice },
      moves: { NOTICE: unmoved },
      conditions: {
        by: ["HUMAN"],
        sets: { opened: true },
        needs: ["openedAt"],
        keeps: ["sentAt", "message"],
      },
    }),
  ],
} as const;
