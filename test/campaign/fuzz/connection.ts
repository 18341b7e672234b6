import { connect } from "node:net";
import { PATIENCE, type World } from "./target.ts";

/**
 * Sends bytes over a TCP connection to the server, ends its own side, and resolves with all that came (as Latin-1) when the
 * server has closed it, after `calm` milliseconds without anything from the server, or when it reset the connection.
 * Rejects when nothing of these happens.
 */
export function exchange(world: World, pieces: readonly Buffer[], calm: number): Promise<string> {
  const { hostname, port } = new URL(world.app.url);
  return new Promise((resolve, reject) => {
    const received: Buffer[] = [];
    const socket = connect({ host: hostname, port: Number(port) });
    let quiet: NodeJS.Timeout | undefined;
    const done = () => {
      clearTimeout(quiet);
      clearTimeout(late);
      socket.destroy();
      resolve(Buffer.concat(received).toString("latin1"));
    };
    const late = setTimeout(() => {
      socket.destroy();
      reject(new Error("the connection did not end"));
    }, PATIENCE);
    socket.on("data", (bytes) => {
      received.push(bytes);
      clearTimeout(quiet);
      quiet = setTimeout(done, calm);
    });
    socket.on("error", done);
    socket.on("close", done);
    socket.on("connect", () => {
      for (const piece of pieces) socket.write(piece);
      socket.end();
    });
  });
}
