import { randomUUID } from "node:crypto";
import { connect, type Socket } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { WebSocket } from "ws";

/** What hostile clients are told: where the server is, and tokens of theirs, which nobody else has. */
export interface HostileData {
  readonly url: string;
  /** What each hostile client does at a time. */
  readonly atOnce: number;
  /** Of somebody who acts through an agent, and of somebody who may read the whole ledger. */
  readonly tokens: readonly { readonly agent: string; readonly auditor: string }[];
}

/** How often each attack got a response, by its code. */
export type Attacked = Readonly<Record<string, Readonly<Record<string, number>>>>;

const { url, atOnce, tokens } = workerData as HostileData;
const { hostname, port } = new URL(url);
const counts: Record<string, Record<string, number>> = {};
let going = true;

function note(attack: string, code: string): void {
  const theirs = counts[attack] ?? {};
  counts[attack] = theirs;
  theirs[code] = (theirs[code] ?? 0) + 1;
}

async function post(attack: string, query: string, variables: object, token?: string): Promise<void> {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) },
      body: JSON.stringify({ query, variables }),
    });
    const text = await response.text();
    note(attack, /"code":"([A-Z_]+)"/.exec(text)?.[1] ?? String(response.status));
  } catch {
    note(attack, "CONNECTION");
  }
}

const many = (count: number, text: (at: number) => string) =>
  Array.from({ length: count }, (_, at) => text(at)).join(" ");
const words = (count: number) => many(count, () => randomUUID().slice(0, 6));
const input = (text = "") => ({
  input: { idempotencyKey: randomUUID(), platform: "crm", tool: "get_user_details", arguments: { text } },
});

/** Opens a connection, sends `text`, and reads nothing for a while. */
async function unread(attack: string, text: string, milliseconds: number): Promise<void> {
  const socket: Socket = connect(Number(port), hostname);
  socket.pause();
  socket.on("error", () => note(attack, "CONNECTION"));
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.write(text);
  note(attack, "SENT");
  await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, milliseconds))]);
  socket.destroy();
}

function requestText(query: string, token: string): string {
  const body = JSON.stringify({ query });
  return `POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** A WebSocket that subscribes as often as it may, pings without pause, and reads nothing. */
async function flood(token: string): Promise<void> {
  const socket = new WebSocket(url.replace("http", "ws"), "graphql-transport-ws", {
    headers: { authorization: `Bearer ${token}` },
  });
  socket.on("error", () => note("streams", "CONNECTION"));
  const closed = new Promise<void>((resolve) => {
    socket.on("close", (code) => {
      note("streams", String(code));
      resolve();
    });
  });
  socket.on("open", () => socket.send('{"type":"connection_init"}'));
  // The connection is acknowledged.
  socket.once("message", () => {
    for (let id = 0; id < 100; id++) {
      const query = `subscription{auditEntries(after:"${id}"){entry{body canonical}}}`;
      socket.send(JSON.stringify({ type: "subscribe", id: String(id), payload: { query } }));
    }
    for (let at = 0; at < 15; at++) socket.ping();
  });
  socket.on("message", () => note("streams", "EVENT"));
  await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 3_000))]);
  socket.terminate();
}

const dear = (mark: string) =>
  `query ${mark}{viewer{${many(40, (at) => `...F${at}`)}}} ${many(40, (at) => `fragment F${at} on Principal{${many(40, () => "id")}}`)}`;
const name = () => `Q${randomUUID().replaceAll("-", "")}`;

type Tokens = HostileData["tokens"][number];

/** One hostile client each, which goes on as long as it may. */
const ATTACKS: readonly ((tokens: Tokens) => Promise<void>)[] = [
  async ({ agent }) => {
    await post("overlapping fragments, anonymous", dear(name()), {});
    await post("overlapping fragments, signed in", dear(name()), {}, agent);
    await post("garbage tokens", "{viewer{id}}", {}, "garbage");
  },
  async ({ auditor }) => {
    const aliases = many(30, (at) => `a${at}:body`);
    await post("huge answers", `{auditEntries(first:100,newestFirst:true){nodes{${aliases}}}}`, {}, auditor);
    await unread(
      "answers not read",
      requestText(
        `{auditEntries(first:3,filter:{types:["ACTION_PROPOSED"]}){nodes{${many(10, (at) => `a${at}:body`)}}}}`,
        auditor,
      ),
      2_000,
    );
  },
  async ({ auditor }) => {
    const query = "query($text:String){auditEntries(filter:{text:$text}){nodes{seq}}}";
    await post("2,000 words", query, { text: words(2_000) }, auditor);
    await post("16 words", query, { text: words(16) }, auditor);
  },
  async ({ agent, auditor }) => {
    const digest = `sha256:${"0".repeat(64)}`;
    const decide = "mutation($input:ApproveActionInput!){approveAction(input:$input){userErrors{code}}}";
    await post("refused decisions", decide, { input: { actionId: randomUUID(), digest } }, auditor);
    const redeem = "mutation($input:RedeemGrantInput!){redeemGrant(input:$input){userErrors{code}}}";
    await post("garbage grants", redeem, { input: { token: randomUUID(), digest } }, agent);
  },
  async ({ auditor }) => {
    await post(
      "session starts",
      "mutation($input:StartSessionInput!){startSession(input:$input){userErrors{code}}}",
      { input: { conversationId: randomUUID() } },
      auditor,
    );
  },
  async ({ auditor }) => {
    await Promise.all(Array.from({ length: 50 }, () => unread("idle connections", "", 1_000)));
    await unread("half a request", "POST /graphql HTTP/1.1\r\nhost: x\r\n", 500);
    await flood(auditor);
  },
  async ({ auditor }) => {
    const query = `{auditEntries(first:100,newestFirst:true){nodes{seq canonical}} ledger{head{seq}}}`;
    await post("exports", query, {}, auditor);
    await post("lineage", "{actions(first:50){nodes{lineage{__typename} entries{derived{seq}}}}}", {}, auditor);
  },
  async ({ auditor }) => {
    await post("verification", `{verifyLedger(fromSeq:"${1 + Math.floor(Math.random() * 50)}"){verdict}}`, {}, auditor);
  },
];

/** Something large for the others to ask for. */
async function prepare(): Promise<void> {
  const query = "mutation($input:ProposeActionInput!){proposeAction(input:$input){userErrors{code}}}";
  for (const { agent } of tokens) {
    for (let at = 0; at < 4; at++) await post("large proposals", query, input("x".repeat(200_000)), agent);
  }
}

await prepare();
parentPort?.postMessage("ready");
for (const [client, attack] of ATTACKS.entries()) {
  const go = async () => {
    while (going) await attack(tokens[client % tokens.length]!);
  };
  for (let at = 0; at < atOnce; at++) void go();
}
parentPort?.once("message", () => {
  going = false;
  // Some wait for their turn; the thread ends with them.
  parentPort?.postMessage(counts);
});
