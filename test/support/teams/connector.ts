import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { activityProblem, type Card } from "./cards.ts";
import { type LocalServer, sendJson, startLocalServer } from "./http-server.ts";

/** What the connector service is told of one message, and every text that it had, the first one first. */
export interface Post {
  readonly id: string;
  readonly conversation: string;
  readonly versions: Readonly<Record<string, unknown>>[];
}

/** A person as the roster of a conversation has them. */
export interface Person {
  /** Unique for bot and person. */
  readonly id: string;
  readonly aadObjectId: string;
  readonly name: string;
  readonly tenantId: string;
  readonly userRole: "user" | "guest" | "anonymous";
}

/**
 * What the next request meets. `drop`: it is done, and the connection ends without a response. `hold`: it is done, and the response waits
 * for `release`.
 */
export type Plan = "drop" | "hold" | { readonly status: number; readonly retryAfter?: string; readonly code?: string };

/** The connector service of Teams, by which bots send and change messages; beside it, a workflow that posts cards. */
export interface Connector {
  readonly server: LocalServer;
  readonly serviceUrl: string;
  /** The address of the workflow, which is a secret. */
  readonly workflowUrl: string;
  /** What the next requests meet, in turn; none: they are served. */
  readonly plans: Plan[];
  release(): void;
  /** Requests, as `POST /v3/...`, in the order they came. */
  readonly requests: readonly string[];
  readonly roster: Map<string, Person>;
  /** Messages of bots, by conversation. */
  posts(conversation: string): readonly Post[];
  /** What the workflow posted. */
  readonly workflowCards: readonly Card[];
}

export interface ConnectorOptions {
  /** Conversations that the bot is in, each with the people of the roster in it; others do not exist. */
  readonly conversations: readonly string[];
  accepts(authorization: string | undefined): Promise<boolean>;
}

const ROOT = "/teams";
const WORKFLOW = "/workflows/5d1c/triggers/manual/paths/invoke";
const WORKFLOW_QUERY = "?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sig=s3cr3t-signature";

export async function startConnector(options: ConnectorOptions): Promise<Connector> {
  const conversations = new Map<string, Map<string, Post>>(options.conversations.map((id) => [id, new Map()]));
  const plans: Plan[] = [];
  const requests: string[] = [];
  const roster = new Map<string, Person>();
  const workflowCards: Card[] = [];
  let held: (() => void)[] = [];
  let made = 0;

  const fail = (response: ServerResponse, status: number, code: string, headers = {}) =>
    sendJson(response, status, { error: { code, message: `the request failed with ${code}` } }, headers);

  /** Ends an exchange as it was planned; `respond` sends the ordinary response. */
  function finish(plan: Plan | undefined, response: ServerResponse, respond: () => void): void {
    if (plan === "drop") response.destroy();
    else if (plan === "hold") held.push(respond);
    else respond();
  }

  async function serveWorkflow(request: IncomingMessage, response: ServerResponse, plan: Plan | undefined) {
    const raw = await text(request);
    if (request.url !== WORKFLOW + WORKFLOW_QUERY) return fail(response, 401, "DirectApiAuthorizationRequired");
    const activity = JSON.parse(raw);
    const problem = activityProblem(activity, raw);
    if (problem !== undefined) return fail(response, 400, problem);
    const cards = (activity.attachments as { content: Card }[]).map(({ content }) => content);
    // What people press in a card of a workflow is told to nobody.
    if (cards.some(({ actions = [] }) => actions.some(({ type }) => type !== "Action.OpenUrl"))) {
      return fail(response, 400, "ActionNotSupported");
    }
    workflowCards.push(...cards);
    return finish(plan, response, () => response.writeHead(202).end());
  }

  async function serveActivities(
    request: IncomingMessage,
    response: ServerResponse,
    plan: Plan | undefined,
    parts: readonly string[],
  ) {
    const [conversation = "", kind, id] = parts;
    const posts = conversations.get(conversation);
    if (posts === undefined) return fail(response, 404, "ConversationNotFound");
    if (request.method === "GET" && kind === "members") {
      const member = [...roster.values()].find((person) => person.id === id || person.aadObjectId === id);
      if (member === undefined) return fail(response, 404, "MemberNotFoundInConversation");
      return finish(plan, response, () => sendJson(response, 200, { ...member, objectId: member.aadObjectId }));
    }
    if (kind !== "activities") return fail(response, 404, "NotFound");
    const raw = await text(request);
    if (request.headers["content-type"]?.split(";")[0] !== "application/json") return fail(response, 415, "BadContent");
    const activity = JSON.parse(raw);
    const problem = activityProblem(activity, raw);
    if (problem !== undefined) return fail(response, problem === "MessageSizeTooBig" ? 413 : 400, problem);
    if (request.method === "PUT") {
      const post = posts.get(id ?? "");
      if (post === undefined) return fail(response, 404, "ActivityNotFoundInConversation");
      post.versions.push(activity);
      return finish(plan, response, () => sendJson(response, 200, { id: post.id }));
    }
    if (request.method !== "POST") return void response.writeHead(405).end();
    made += 1;
    const post = { id: String(1_732_000_000_000 + made), conversation, versions: [activity] };
    posts.set(post.id, post);
    return finish(plan, response, () => sendJson(response, 201, { id: post.id }));
  }

  const server = await startLocalServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? "", "http://localhost");
    requests.push(`${request.method} ${decodeURIComponent(pathname.replace(ROOT, ""))}`);
    const plan = plans.shift();
    if (typeof plan === "object") {
      const headers = plan.retryAfter === undefined ? {} : { "retry-after": plan.retryAfter };
      return fail(response, plan.status, plan.code ?? "Planned", headers);
    }
    if (pathname === WORKFLOW) return serveWorkflow(request, response, plan);
    if (!(await options.accepts(request.headers.authorization))) return fail(response, 401, "Unauthorized");
    const [, version, conversationsPart, ...parts] = pathname.replace(ROOT, "").split("/").map(decodeURIComponent);
    if (version !== "v3" || conversationsPart !== "conversations") return fail(response, 404, "NotFound");
    if (parts.length > 0) return serveActivities(request, response, plan, parts);
    if (request.method !== "POST") return void response.writeHead(405).end();
    const { members = [], tenantId } = JSON.parse(await text(request));
    if (members.length !== 1 || typeof tenantId !== "string") return fail(response, 400, "BadSyntax");
    const id = `a:${members[0].id}`;
    if (!conversations.has(id)) conversations.set(id, new Map());
    return finish(plan, response, () => sendJson(response, 201, { id }));
  });

  return {
    server,
    serviceUrl: `${server.url}${ROOT}`,
    workflowUrl: server.url + WORKFLOW + WORKFLOW_QUERY,
    plans,
    release() {
      for (const respond of held) respond();
      held = [];
    },
    requests,
    roster,
    posts: (conversation) => [...(conversations.get(conversation)?.values() ?? [])],
    workflowCards,
  };
}
