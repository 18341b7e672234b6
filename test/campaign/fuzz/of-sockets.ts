import { randomBytes } from "node:crypto";
import type { Choices } from "./choices.ts";
import { exchange } from "./connection.ts";
import { hostileDocumentOf, operationOf } from "./operations.ts";
import { CALLERS, type Target, type World } from "./target.ts";
import { damaged, jsonOf, textOf } from "./values.ts";

const CONTINUATION = 0;
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
const OPCODES = [CONTINUATION, TEXT, TEXT, TEXT, TEXT, BINARY, 3, 7, CLOSE, PING, PONG, 11, 15];
const CALM = 150;

/** A frame of RFC 6455, section 5.2; with `lie`, of a length that is not that of `payload`. */
function frame(opcode: number, payload: Buffer, { first = 0x80, masked = true, lie = 0 } = {}): Buffer {
  const length = payload.length + lie;
  const head = [first | opcode];
  const mask = masked ? 0x80 : 0;
  const size = Buffer.alloc(length > 0xffff ? 8 : length > 125 ? 2 : 0);
  if (size.length === 8) size.writeBigUInt64BE(BigInt(length));
  else if (size.length === 2) size.writeUInt16BE(length);
  head.push(mask | (size.length === 8 ? 127 : size.length === 2 ? 126 : length));
  const key = masked ? randomBytes(4) : Buffer.alloc(0);
  const body = masked ? payload.map((byte, at) => byte ^ (key[at % 4] as number)) : payload;
  return Buffer.concat([Buffer.from(head), size, key, body]);
}

/** A message of graphql-transport-ws, mostly. */
function messageOf(world: World, choices: Choices, token: string | undefined): string {
  const material = { choices, known: world.known };
  const id = choices.oneIn(6) ? textOf(choices) : choices.pick(["1", "2", "3"]);
  switch (choices.below(8)) {
    case 0:
      return JSON.stringify({
        type: "connection_init",
        payload: choices.oneIn(3) ? jsonOf(choices) : { authorization: `Bearer ${token}` },
      });
    case 1:
    case 2:
      return JSON.stringify({
        type: "subscribe",
        id,
        payload: operationOf(material, ["subscription", "query", "mutation"]),
      });
    case 3:
      return JSON.stringify({ type: "subscribe", id, payload: hostileDocumentOf(material) });
    case 4:
      return JSON.stringify({
        type: choices.pick(["complete", "next", "error", "connection_ack", "pong", "x"]),
        id,
        payload: jsonOf(choices),
      });
    case 5:
      return JSON.stringify({ type: "ping", payload: jsonOf(choices) });
    case 6:
      return JSON.stringify(jsonOf(choices));
    default:
      return damaged(choices, JSON.stringify({ type: "subscribe", id, payload: operationOf(material) }));
  }
}

function frameOf(choices: Choices, message: string): Buffer {
  const payload = Buffer.from(message);
  if (!choices.oneIn(5)) return frame(TEXT, payload);
  const opcode = choices.pick(OPCODES);
  const bytes = choices.oneIn(2) ? payload : randomBytes(choices.below(200));
  const first = choices.oneIn(3) ? choices.pick([0, 0x80, 0xc0, 0xa0, 0x90, 0xf0]) : 0x80;
  return frame(opcode, bytes, {
    first,
    masked: !choices.oneIn(5),
    lie: choices.oneIn(8) ? choices.pick([1, 60_000, 2 ** 30]) : 0,
  });
}

/** Frames of a WebSocket: messages out of order, malformed, damaged, and bytes that are no frames. */
export function sockets(world: World): Target {
  return {
    name: "sockets",
    async try(choices) {
      const as = choices.pick(CALLERS);
      const token = as === undefined ? undefined : await world.app.token(as);
      const { host, pathname } = new URL(world.app.url);
      const upgrade = [
        `GET ${pathname} HTTP/1.1`,
        `Host: ${host}`,
        "Upgrade: websocket",
        "Connection: Upgrade",
        `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: graphql-transport-ws",
        ...(choices.oneIn(10) ? ["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"] : []),
      ];
      const init = JSON.stringify({
        type: "connection_init",
        payload: token === undefined ? {} : { authorization: `Bearer ${token}` },
      });
      const messages = [
        ...(choices.oneIn(5) ? [] : [init]),
        ...choices.some(6, () => messageOf(world, choices, token)),
      ];
      for (const message of messages) world.sent.addText(message);
      const received = await exchange(
        world,
        [Buffer.from(`${upgrade.join("\r\n")}\r\n\r\n`), ...messages.map((message) => frameOf(choices, message))],
        CALM,
      );
      const status = /^HTTP\/1\.1 (\d{3})/.exec(received)?.[1];
      world.outcomes.set(`socket ${status}`, (world.outcomes.get(`socket ${status}`) ?? 0) + 1);
      if (status !== undefined && Number(status) >= 500) return received.slice(0, 2_000);
      const at = received.search(/INTERNAL_SERVER_ERROR|LEDGER_CORRUPT|LEDGER_STOPPED|DATABASE_CORRUPT/);
      world.learn(received);
      return at < 0 ? undefined : received.slice(Math.max(0, at - 1_000), at + 1_000);
    },
  };
}
