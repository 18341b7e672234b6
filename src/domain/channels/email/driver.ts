import { domainToASCII } from "node:url";
import { createTransport } from "nodemailer";
import { asError } from "../../../errors.ts";
import { DeliveryError, type Driver, type NoticeMessage } from "../driver.ts";
import type { Outgoing } from "../outbound.ts";
import { type EmailSecrets, type EmailSettings, emailSecrets, emailSettings } from "./settings.ts";
import { bodyOf, subjectOf } from "./text.ts";

export interface EmailDriverOptions {
  /** Connects to mail servers. */
  readonly connect: Outgoing["connect"];
}

/** Milliseconds of silence after which a mail server is given up. */
const SILENCE = 15_000;
/** Codes of nodemailer for what a mail server says of one mail: of who it goes to, and what it says. */
const OF_A_MAIL = ["EENVELOPE", "EMESSAGE"];
/** Says who a mail is from, which is the same for each mail of a channel. */
const SENDER = "MAIL FROM";
/** What it says of a sender's mail that is too large (RFC 1870, section 6). */
const TOO_LARGE = 552;
/** Responses to a mail that any other would have got (RFC 5321, section 3.8; RFC 4954, section 6): it ends the connection, or knows the user no more. */
const OF_ALL = [421, 530, 534, 535, 538];
/** What people are told of in a further message. */
const TOLD: readonly NoticeMessage["status"][] = [
  "APPROVED",
  "DENIED",
  "EXPIRED",
  "CANCELLED",
  "SUCCEEDED",
  "FAILED",
  "AMBIGUOUS",
];

/** Notices by e-mail (RFC 5321, RFC 5322). They tell, and decide nothing: no link in them does, and no reply. */
export function createEmailDriver({ connect }: EmailDriverOptions): Driver<EmailSettings, EmailSecrets> {
  return {
    kind: "EMAIL",
    settings: emailSettings,
    secrets: emailSecrets,
    to: ({ settings }) => shown(settings.to),
    problem: ({ secrets: { user, password } }) =>
      (user === undefined) === (password === undefined) ? undefined : "needs both user and password, or neither",
    tells: ({ status }) => TOLD.includes(status),
    async send({ settings, secrets }, message, signal) {
      const { from, to, host, port, security } = settings;
      const socket = await connect({ host, port }, signal);
      const stop = () => socket.destroy(asError(signal.reason));
      signal.addEventListener("abort", stop, { once: true });
      const transport = createTransport({
        host,
        port,
        secure: security === "TLS",
        requireTLS: security === "STARTTLS",
        ignoreTLS: security === "NONE",
        tls: { servername: host, minVersion: "TLSv1.2" },
        ...(secrets.user === undefined ? {} : { auth: { user: secrets.user, pass: secrets.password ?? "" } }),
        greetingTimeout: SILENCE,
        socketTimeout: SILENCE,
        disableFileAccess: true,
        disableUrlAccess: true,
        getSocket: (_options, callback) => callback(null, { connection: socket }),
      });
      try {
        const { rejected } = await transport.sendMail({
          from,
          to: to.map((address) => ({ name: "", address })),
          subject: subjectOf(message),
          text: bodyOf(message),
          messageId: idOf(message, message.version, from),
          ...(message.version === 1 ? {} : { inReplyTo: idOf(message, 1, from), references: [idOf(message, 1, from)] }),
          headers: { "Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All" },
        });
        // The server may have refused some of those that it goes to, and taken it for the others.
        const refused = new Set(rejected.map(onWire));
        return { message: undefined, to: shown(to.filter((address) => !refused.has(onWire(address)))) };
      } catch (error) {
        throw failureOf(error, host);
      } finally {
        signal.removeEventListener("abort", stop);
        transport.close();
        socket.destroy();
      }
    },
  };
}

const shown = (addresses: readonly string[]) => addresses.join(", ").slice(0, 400);

/** An e-mail address as it is sent by SMTP: its host in lower-case ASCII (RFC 5890). */
function onWire(address: string): string {
  const at = address.lastIndexOf("@");
  return `${address.slice(0, at)}@${domainToASCII(address.slice(at + 1)).toLowerCase()}`;
}

/** The same for the same message, so that mail programs show one that comes twice once, and all of one action together. */
function idOf({ noticeId }: NoticeMessage, version: number, from: string): string {
  return `<${noticeId}.${version}@${from.slice(from.lastIndexOf("@") + 1)}>`;
}

/** A mail server that refuses for good says so with 5xx (RFC 5321, section 4.2.1). */
function failureOf(error: unknown, host: string): DeliveryError {
  const { responseCode, message, code, command } = error as Error & {
    readonly responseCode?: number;
    readonly code?: string;
    readonly command?: string;
  };
  const said = responseCode === undefined ? "could not be used" : `responded ${responseCode}`;
  const isSender = command === SENDER && responseCode !== undefined && responseCode !== TOO_LARGE;
  const down = isSender || !OF_A_MAIL.includes(code ?? "") || OF_ALL.includes(responseCode ?? 0);
  return new DeliveryError(`${host} ${said}: ${message}`, {
    retry: down || (responseCode !== undefined && responseCode < 500),
    down,
    cause: error,
  });
}
