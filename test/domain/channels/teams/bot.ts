import { buffer } from "node:stream/consumers";
import type {
  Account,
  Decided,
  Door,
  Driver,
  Linked,
  MessageDecision,
  NoticeMessage,
} from "../../../../src/domain/channels/driver.ts";
import { createTeamsDriver } from "../../../../src/domain/channels/teams/driver.ts";
import type { TeamsChannel, TeamsSecrets, TeamsSettings } from "../../../../src/domain/channels/teams/settings.ts";
import type { Hash } from "../../../../src/facts/hash.ts";
import { createLogger } from "../../../../src/log.ts";
import { fetchOutbound } from "../../../support/fetch-outbound.ts";
import { type LocalServer, startLocalServer } from "../../../support/teams/http-server.ts";
import { TOKEN_ISSUER } from "../../../support/teams/identity.ts";
import type { Teams } from "../../../support/teams/teams.ts";

/** What a driver asked of the server, with an organization of one action that one approval decides. */
export interface RecordingDoor extends Door {
  readonly asked: readonly string[];
  /** Principals, by account. */
  readonly links: Map<string, string>;
  readonly codes: Map<string, string>;
  current: NoticeMessage | undefined;
  /** Thrown by everything that is asked. */
  fault: Error | undefined;
}

export function noticeOf(changes: Partial<NoticeMessage> = {}): NoticeMessage {
  return {
    noticeId: "0b9fb1a5-6c05-4c86-8c88-6bbd0f6f6a10",
    organization: "acme",
    region: "eu",
    actionId: "5f9d6fa4-9d8e-4a2b-9d1f-6c3d1e1b2a30",
    reference: "3fa9c1d2",
    platform: "billing",
    tool: "refund",
    effect: "WRITE",
    severity: "HIGH",
    status: "PENDING",
    version: 1,
    digest: "ab".repeat(32) as Hash,
    deadline: new Date("2030-01-02T03:04:05Z"),
    requirements: [{ group: "treasury", needed: 1, approved: 0 }],
    decisions: [],
    content: undefined,
    link: "https://countersign.example/actions/5f9d6fa4-9d8e-4a2b-9d1f-6c3d1e1b2a30",
    ...changes,
  };
}

/** The action as it is once somebody decided. */
export function decidedBy(message: NoticeMessage, decision: Partial<MessageDecision> = {}): NoticeMessage {
  const made = {
    verdict: "APPROVE",
    by: "p-1",
    channel: "TEAMS",
    at: new Date("2030-01-01T00:00:00Z"),
    ...decision,
  } as const;
  const status = made.verdict === "APPROVE" ? "APPROVED" : "DENIED";
  return {
    ...message,
    status,
    deadline: undefined,
    version: message.version + 1,
    decisions: [...message.decisions, made],
  };
}

export function createDoor(): RecordingDoor {
  const asked: string[] = [];
  const links = new Map<string, string>();
  const codes = new Map<string, string>();
  const who = ({ kind, tenant, id }: Account) => `${kind} ${tenant} ${id}`;
  const begin = (what: string) => {
    asked.push(what);
    if (door.fault !== undefined) throw door.fault;
  };
  const door: RecordingDoor = {
    asked,
    links,
    codes,
    current: undefined,
    fault: undefined,
    async decide(channel, account, { actionId, digest, verdict, note }): Promise<Decided> {
      begin(`decide ${channel.name} ${who(account)} ${actionId} ${verdict} ${note ?? "-"}`);
      const by = links.get(account.id);
      if (by === undefined) return { outcome: "UNLINKED" };
      const message = door.current?.actionId === actionId ? door.current : undefined;
      const refused = (code: string, reason: string): Decided => ({ outcome: "REFUSED", code, reason, message });
      if (message === undefined) return refused("NOT_FOUND", "there is no such action");
      if (message.decisions.some((made) => made.by === by && made.verdict === verdict))
        return { outcome: "REPEATED", message };
      if (message.status !== "PENDING") return refused("NOT_PENDING", `the action is ${message.status} already`);
      if (digest !== message.digest) return refused("DIGEST_MISMATCH", "what you were shown is not what would run");
      door.current = decidedBy(message, { verdict, by });
      return { outcome: "RECORDED", message: door.current };
    },
    async link(channel, account, code): Promise<Linked> {
      begin(`link ${channel.name} ${who(account)} ${code}`);
      const principalId = codes.get(code);
      if (principalId === undefined) return { outcome: "REFUSED", reason: "the code is not valid: make another one" };
      codes.delete(code);
      links.set(account.id, principalId);
      return { outcome: "LINKED", principalId };
    },
    async opened(channel, account, actionId) {
      begin(`opened ${channel.name} ${who(account)} ${actionId}`);
    },
    async message(_, actionId) {
      return door.current?.actionId === actionId ? door.current : undefined;
    },
  };
  return door;
}

export interface Bot {
  readonly driver: Driver<TeamsSettings, TeamsSecrets>;
  readonly door: RecordingDoor;
  readonly logged: readonly string[];
  /** The channel that requests are for. */
  channel: TeamsChannel;
  /** Posts the notice of the action, as it is now, and returns what names the message. */
  send(message?: NoticeMessage): Promise<string | undefined>;
  update(sent: string, message: NoticeMessage): Promise<void>;
  readonly server: LocalServer;
}

/** The channel of the bot that is registered with `teams`. */
export function botChannelOf(teams: Teams, changes: Partial<TeamsChannel> = {}): TeamsChannel {
  const { appId, appPassword, tenantId, conversation: conversationId, connector } = teams;
  return {
    organization: "acme",
    name: "teams",
    kind: "TEAMS",
    groups: [],
    settings: { mode: "BOT", appId, tenantId, conversationId, serviceUrl: connector.serviceUrl },
    secrets: { appPassword },
    configuredAt: 1n,
    ...changes,
  };
}

/** Serves the bot's endpoint, with a driver of its own. */
export async function startBot(teams: Teams, options: { readonly now?: () => number } = {}): Promise<Bot> {
  const logged: string[] = [];
  const { openIdUrl, loginUrl } = teams.identity;
  const driver = createTeamsDriver({
    outbound: fetchOutbound,
    endpoints: { openIdUrl, loginUrl, tokenIssuer: TOKEN_ISSUER, serviceHosts: ["127.0.0.1"] },
    log: createLogger("debug", { write: (line) => void logged.push(line) }),
    ...options,
  });
  const door = createDoor();
  const server = await startLocalServer(async (request, response) => {
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
    const path = (request.url ?? "").replace("/bot", "");
    const asked = { method: request.method ?? "", path, headers, body: await buffer(request) };
    const { status, contentType, body } = (await driver.receive?.(bot.channel, asked, door)) ?? { status: 404 };
    response.writeHead(status, contentType === undefined ? {} : { "content-type": contentType }).end(body);
  });
  teams.botUrl = `${server.url}/bot`;
  const bot: Bot = {
    driver,
    door,
    logged,
    channel: botChannelOf(teams),
    async send(message = noticeOf()) {
      door.current = message;
      return (await driver.send(bot.channel, message, AbortSignal.timeout(20_000))).message;
    },
    async update(sent, message) {
      await driver.update?.(bot.channel, message, sent, AbortSignal.timeout(20_000));
    },
    server,
  };
  return bot;
}
