import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";

export interface Mail {
  readonly from: string;
  readonly to: readonly string[];
  /** Headers and body, quoted-printable (RFC 2045, section 6.7) decoded. */
  readonly source: string;
}

/** A mail server (RFC 5321) on this machine. */
export interface MailServer {
  readonly port: number;
  readonly received: readonly Mail[];
  /** Has the next `count` messages refused with this code of SMTP after their content. */
  refuse(code: number, count: number): void;
  close(): Promise<void>;
}

export async function startMailServer(options: SMTPServerOptions = {}): Promise<MailServer> {
  const received: Mail[] = [];
  let refusing = { code: 0, left: 0 };
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS"],
    ...options,
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        if (refusing.left > 0) {
          refusing = { ...refusing, left: refusing.left - 1 };
          return done(Object.assign(new Error("not now"), { responseCode: refusing.code }));
        }
        const { mailFrom, rcptTo } = session.envelope;
        received.push({
          from: mailFrom === false ? "" : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          source: decoded(Buffer.concat(chunks).toString("latin1")),
        });
        return done();
      });
    },
  });
  server.on("error", () => undefined);
  server.listen(0, "127.0.0.1");
  await once(server.server, "listening");
  return {
    port: (server.server.address() as AddressInfo).port,
    received,
    refuse(code, count) {
      refusing = { code, left: count };
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function decoded(source: string): string {
  const bytes = source
    .replaceAll(/=\r\n/g, "")
    .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, "latin1").toString("utf8");
}
