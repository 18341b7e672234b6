import { randomUUID } from "node:crypto";
import { CARD_TYPE, type Card, type CardAction } from "./cards.ts";
import { type Connector, type Person, type Post, startConnector } from "./connector.ts";
import {
  type BotApp,
  type IdentityServices,
  type SigningKey,
  signToken,
  startIdentityServices,
  TOKEN_ISSUER,
} from "./identity.ts";

type Json = Readonly<Record<string, unknown>>;

/** What is not honest about a request to a bot. A claim of `undefined` is left out. */
export interface Dishonest {
  readonly claims?: Json;
  readonly key?: SigningKey;
  /** In place of a token that is made; undefined: no header at all. */
  readonly authorization?: string | undefined;
  /** Members of the activity. */
  readonly activity?: Json;
}

export interface Answer {
  readonly status: number;
  /** The body, when it is JSON. */
  readonly body: Json | undefined;
  /** What an invoke was answered with, when that is a card. */
  readonly card: Card | undefined;
}

export interface Where {
  readonly conversation?: string;
  /** Whether the client forgot what people typed into inputs, as some do in channels. */
  readonly dropsInputs?: boolean;
  /** Of the request; another one for each unless it is given. */
  readonly activityId?: string;
}

/** Microsoft Teams, as a bot and a workflow meet it: services that speak its protocols over sockets, and clients with people. */
export interface Teams extends BotApp {
  /** The channel whose messages the bot posts. */
  readonly conversation: string;
  readonly identity: IdentityServices;
  readonly connector: Connector;
  readonly alice: Person;
  readonly bob: Person;
  readonly guest: Person;
  /** Where requests to the bot go. */
  botUrl: string;
  /** The messages in the channel. */
  posts(conversation?: string): readonly Post[];
  /** The card of a message as it is shown to everybody. */
  shown(post: Post): Card;
  /** Somebody presses what has this title in the card of a message. */
  press(
    person: Person,
    post: Post,
    title: string,
    inputs?: Json,
    where?: Where,
    dishonest?: Dishonest,
  ): Promise<Answer>;
  /** The same in a client that knows no Action.Execute. */
  submit(person: Person, post: Post, title: string, inputs?: Json): Promise<Answer>;
  /** Somebody has a message on their screen. */
  look(person: Person, post: Post): Promise<Answer>;
  /** Somebody writes to the bot: in their chat with it, or, with `conversation`, by a mention there. */
  say(person: Person, words: string, where?: Where, dishonest?: Dishonest): Promise<Answer>;
  /** The bot is added to the channel. */
  join(dishonest?: Dishonest): Promise<Answer>;
  /** A request to the bot as Teams makes it. */
  deliver(activity: Json, dishonest?: Dishonest): Promise<Answer>;
  close(): Promise<void>;
}

const person = (tenantId: string, name: string, userRole: Person["userRole"] = "user"): Person => ({
  id: `29:${name.toLowerCase()}-${randomUUID().slice(0, 8)}`,
  aadObjectId: randomUUID(),
  name,
  tenantId,
  userRole,
});

/** The chat of a person with the bot. */
export const chatOf = ({ id }: Person) => `a:${id}`;

export async function startTeams(): Promise<Teams> {
  const app: BotApp = { appId: randomUUID(), appPassword: `pw~${randomUUID()}`, tenantId: randomUUID() };
  const conversation = "19:c0ffee0123456789@thread.tacv2";
  const people = [
    person(app.tenantId, "Alice"),
    person(app.tenantId, "Bob"),
    person(app.tenantId, "Gus", "guest"),
  ] as const;
  const [alice, bob, guest] = people;
  const identity = await startIdentityServices(app);
  const connector = await startConnector({
    conversations: [conversation, ...people.map(chatOf)],
    accepts: (authorization) => identity.accepts(authorization),
  });
  for (const one of people) connector.roster.set(one.id, one);

  const shown = (post: Post): Card => {
    const latest = post.versions.at(-1) as { attachments: { contentType: string; content: Card }[] };
    const card = latest.attachments.find(({ contentType }) => contentType === CARD_TYPE);
    if (card === undefined) throw new Error("the message has no card");
    return card.content;
  };

  const actionOf = (post: Post, title: string): CardAction => {
    const found = shown(post).actions?.find((action) => action.title === title);
    if (found === undefined) throw new Error(`the card has no "${title}"`);
    return found;
  };

  const activityOf = (from: Person, at: string, rest: Json): Json => ({
    id: randomUUID(),
    timestamp: new Date().toISOString(),
    channelId: "msteams",
    serviceUrl: `${connector.serviceUrl}/`,
    from: { id: from.id, name: from.name, aadObjectId: from.aadObjectId },
    recipient: { id: `28:${app.appId}`, name: "Countersign" },
    conversation: {
      id: at,
      tenantId: from.tenantId,
      conversationType: at.startsWith("a:") ? "personal" : "channel",
      ...(at.startsWith("a:") ? {} : { isGroup: true }),
    },
    channelData: { tenant: { id: from.tenantId }, source: { name: "message" } },
    locale: "en-GB",
    ...rest,
  });

  async function deliver(activity: Json, dishonest: Dishonest = {}): Promise<Answer> {
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      serviceurl: `${connector.serviceUrl}/`,
      nbf: now - 60,
      exp: now + 3600,
      iss: TOKEN_ISSUER,
      aud: app.appId,
      ...dishonest.claims,
    };
    const key = dishonest.key ?? (identity.keys[0] as SigningKey);
    const authorization =
      "authorization" in dishonest ? dishonest.authorization : `Bearer ${await signToken(key, claims)}`;
    const response = await fetch(teams.botUrl, {
      method: "POST",
      headers: { "content-type": "application/json; charset=utf-8", ...(authorization && { authorization }) },
      body: JSON.stringify({ ...activity, ...dishonest.activity }),
    });
    const raw = await response.text();
    const isJson = response.headers.get("content-type")?.startsWith("application/json") === true && raw !== "";
    const body = isJson ? (JSON.parse(raw) as Json) : undefined;
    return { status: response.status, body, card: body?.type === CARD_TYPE ? (body.value as Card) : undefined };
  }

  const invoke = (
    from: Person,
    post: Post,
    action: CardAction,
    inputs: Json,
    trigger: string,
    where: Where,
    dishonest?: Dishonest,
  ) => {
    // In a channel, a conversation names the message that was answered.
    const at =
      where.conversation ??
      (post.conversation.startsWith("19:") ? `${post.conversation};messageid=${post.id}` : post.conversation);
    const { type, title, verb, data } = action;
    return deliver(
      activityOf(from, at, {
        ...(where.activityId && { id: where.activityId }),
        type: "invoke",
        name: "adaptiveCard/action",
        replyToId: post.id,
        value: {
          action: { type, title, id: "", verb, data: { ...data, ...(where.dropsInputs ? {} : inputs) } },
          trigger,
        },
      }),
      dishonest,
    );
  };

  const teams: Teams = {
    ...app,
    conversation,
    identity,
    connector,
    alice,
    bob,
    guest,
    botUrl: "http://127.0.0.1:1/",
    posts: (at = conversation) => connector.posts(at),
    shown,
    press: (from, post, title, inputs = {}, where = {}, dishonest) =>
      invoke(from, post, actionOf(post, title), inputs, "manual", where, dishonest),
    submit(from, post, title, inputs = {}) {
      const { fallback } = actionOf(post, title);
      if (fallback?.type !== "Action.Submit") throw new Error(`"${title}" falls back to nothing`);
      const value = { ...fallback.data, ...inputs };
      return deliver(activityOf(from, post.conversation, { type: "message", replyToId: post.id, value }));
    },
    look(from, post) {
      const { refresh } = shown(post);
      if (refresh === undefined) throw new Error("the card is not refreshed");
      return invoke(from, post, refresh.action, {}, "automatic", {});
    },
    say(from, words, where = {}, dishonest) {
      const at = where.conversation ?? chatOf(from);
      const isMention = where.conversation !== undefined;
      const mention = {
        type: "mention",
        mentioned: { id: `28:${app.appId}`, name: "Countersign" },
        text: "<at>Countersign</at>",
      };
      return deliver(
        activityOf(from, at, {
          ...(where.activityId && { id: where.activityId }),
          type: "message",
          textFormat: "plain",
          text: isMention ? `<at>Countersign</at> ${words}\n` : words,
          entities: isMention ? [mention] : [],
        }),
        dishonest,
      );
    },
    join: (dishonest) =>
      deliver(
        activityOf(alice, conversation, { type: "conversationUpdate", membersAdded: [{ id: `28:${app.appId}` }] }),
        dishonest,
      ),
    deliver,
    async close() {
      connector.release();
      await Promise.all([identity.server.stop(), connector.server.stop()]);
    },
  };
  return teams;
}
