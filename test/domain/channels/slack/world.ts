import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Account, Decided, Door, Linked, NoticeMessage } from "../../../../src/domain/channels/driver.ts";
import { createSlackDriver } from "../../../../src/domain/channels/slack/driver.ts";
import type { SlackChannel } from "../../../../src/domain/channels/slack/settings.ts";
import { createLogger } from "../../../../src/log.ts";
import { fetchOutbound } from "../../../support/fetch-outbound.ts";
import { startFakeSlack } from "../../../support/slack/fake-slack.ts";

export const CHANNEL = "C0OPS";
export const CODE = "a code of startAccountLink";

/** A notice of a refund that waits for one person. */
export function noticeMessage(changes: Partial<NoticeMessage> = {}): NoticeMessage {
  return {
    noticeId: randomUUID(),
    organization: "acme",
    region: "eu",
    actionId: randomUUID(),
    reference: "1f3a9c02",
    platform: "billing",
    tool: "refund",
    effect: "WRITE",
    severity: "HIGH",
    status: "PENDING",
    version: 1,
    digest: `sha256:${"1f".repeat(32)}` as NoticeMessage["digest"],
    deadline: new Date("2030-01-02T03:04:05Z"),
    requirements: [{ group: "finance", needed: 2, approved: 1 }],
    decisions: [],
    content: undefined,
    link: "https://countersign.example/actions/1",
    ...changes,
  };
}

type Decision = Parameters<Door["decide"]>[2];

/** What the server would say, as a test sets it, and what it was asked. */
export interface TestDoor extends Door {
  readonly decisions: (Decision & { readonly account: Account })[];
  readonly opens: string[];
  /** Ids of Slack accounts that are linked. */
  readonly linked: Set<string>;
  /** The notices of the channel, by action. */
  readonly notices: Map<string, NoticeMessage>;
  /** What the next decisions meet instead. */
  readonly next: (() => Promise<Decided>)[];
}

function createTestDoor(): TestDoor {
  const decisions: TestDoor["decisions"] = [];
  const opens: string[] = [];
  const linked = new Set<string>();
  const notices = new Map<string, NoticeMessage>();
  const next: TestDoor["next"] = [];
  const codes = new Set([CODE]);
  return {
    decisions,
    opens,
    linked,
    notices,
    next,
    async decide(_channel, account, decision) {
      const instead = next.shift();
      if (instead !== undefined) return instead();
      if (!linked.has(account.id)) return { outcome: "UNLINKED" };
      const earlier = decisions.some((one) => one.actionId === decision.actionId && one.account.id === account.id);
      const message = notices.get(decision.actionId);
      if (message === undefined) return { outcome: "REFUSED", code: "NOT_FOUND", reason: "no such action", message };
      if (!earlier) decisions.push({ ...decision, account });
      return { outcome: earlier ? "REPEATED" : "RECORDED", message };
    },
    async link(_channel, account, code): Promise<Linked> {
      if (!codes.delete(code)) return { outcome: "REFUSED", reason: "this code is not valid" };
      linked.add(account.id);
      return { outcome: "LINKED", principalId: "mia" };
    },
    async opened(_channel, account, actionId) {
      if (linked.has(account.id)) opens.push(actionId);
    },
    message: async (_channel, actionId) => notices.get(actionId),
  };
}

export type World = Awaited<ReturnType<typeof createWorld>>;

/** A driver at a Slack, with its requests served over HTTP. `at`: milliseconds by which the driver's clock is ahead. */
export async function createWorld({ mode = "HTTP" }: { readonly mode?: "HTTP" | "SOCKET" } = {}) {
  const slack = await startFakeSlack();
  slack.channels.add(CHANNEL);
  slack.addUser("U0MIA");
  const logged: string[] = [];
  const log = createLogger("debug", { write: (line) => void logged.push(line) });
  let ahead = 0;
  const driver = createSlackDriver({
    outbound: fetchOutbound,
    apiUrl: slack.apiUrl,
    now: () => Date.now() + ahead,
    log,
  });
  const { receive, connect, update } = driver;
  if (receive === undefined || connect === undefined || update === undefined)
    throw new Error("the driver lacks a part");
  const channel: SlackChannel = {
    organization: "acme",
    name: "ops",
    kind: "SLACK",
    groups: [],
    settings: { teamId: slack.teamId, appId: slack.appId, channelId: CHANNEL, mode },
    secrets: { botToken: slack.botToken, signingSecret: slack.signingSecret, appToken: slack.appToken },
    configuredAt: 7n,
  };
  const door = createTestDoor();
  door.linked.add("U0MIA");
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const headers = request.headers as Record<string, string | undefined>;
    const path = (request.url ?? "").replace(/^\/channels\/slack\/acme\/ops/, "");
    const answer = await receive(
      channel,
      { method: request.method ?? "", path, headers, body: Buffer.concat(chunks) },
      door,
    );
    response.writeHead(answer.status, { "content-type": answer.contentType ?? "text/plain" }).end(answer.body ?? "");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/channels/slack/acme/ops`;
  if (mode === "HTTP") slack.setRequestUrl(url);
  const never = new AbortController().signal;
  return {
    slack,
    driver,
    channel,
    door,
    url,
    logged,
    update,
    connect,
    setAhead(milliseconds: number) {
      ahead = milliseconds;
    },
    /** Sends a notice; returns what Slack has of it, and what names it. */
    async sent(message = noticeMessage()) {
      door.notices.set(message.actionId, message);
      const name = (await driver.send(channel, message, never)).message ?? "";
      const posted = slack.posted(CHANNEL).at(-1);
      if (posted === undefined) throw new Error("Slack has no message");
      return { message, posted, name };
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
      await slack.close();
    },
  };
}
