import { flushCompileCache } from "node:module";
import type { Command } from "commander";
import { type Config, loadConfig } from "../config.ts";
import { type IdentitySettings, loadIdentityFile } from "../domain/identity/identity-file.ts";
import { isSecureUrl } from "../domain/identity/secure-url.ts";
import { createLogger } from "../log.ts";
import { effectiveSettings } from "./effective-settings.ts";
import { exitCodesHelp } from "./exit.ts";
import { type ServerOptions, settings, wholeNumber } from "./options.ts";
import { assertListenable, makeFolders } from "./start-checks.ts";

/** On Ctrl-C the terminal signals the process, and npm signals it again: signals closer than this count as one. */
const echo = 1_000;

/** How to be somebody at a server with identity providers: what has to be known there, and where people sign in. */
async function signingIn(url: string, config: Config, { issuers, signIn }: IdentitySettings): Promise<string> {
  const { CALLBACK, LOGIN } = await import("../http/sign-in/login.ts");
  const base = config.publicUrl ?? url;
  const accepted = issuers.map(({ issuer, audience }) => `  ${issuer}   with aud ${audience.join(" or ")}\n`);
  const tokens = `Access tokens are accepted from:\n${accepted.join("")}\n`;
  if (signIn.length === 0) return `Nobody can sign in with a browser: the identity file has no signIn.\n\n${tokens}`;
  if (!isSecureUrl(base)) {
    return `Nobody can sign in with a browser at ${base}: set PUBLIC_URL to the https address at which browsers reach this server.\n\n${tokens}`;
  }
  const callback = new URL(CALLBACK, base).href;
  const clients = signIn.map(({ issuer, clientId }) => `  ${callback}   for client ${clientId} of ${issuer}\n`);
  return `People sign in at ${new URL(LOGIN, base)}\n\nRedirect URI to register at the identity provider:\n${clients.join("")}\n${tokens}`;
}

/** Ready to paste: where the server is, and how to be somebody there, from a terminal without this one's settings. */
async function firstSteps(url: string, config: Config): Promise<string> {
  const identity = config.identityFile === undefined ? undefined : await loadIdentityFile(config.identityFile);
  if (identity !== undefined && identity.issuers.length > 0) {
    return `Countersign serves ${url}\n\n${await signingIn(url, config, identity)}`;
  }
  const plain = loadConfig({});
  const { port: shown, protocol } = new URL(url);
  // A URL leaves out the port of its scheme.
  const port = Number(shown || (protocol === "https:" ? 443 : 80));
  const set = (name: string, value: string | number, usual?: string | number) =>
    value === usual ? "" : `${name}=${value} `;
  const { tls } = config;
  const directory = set("DATA_DIR", config.dataDir, plain.dataDir);
  const certificate = tls === undefined ? "" : set("TLS_CERT_FILE", tls.certFile) + set("TLS_KEY_FILE", tls.keyFile);
  const address = `${set("HOST", config.host, plain.host)}${set("PORT", port, plain.port)}${certificate}`;
  return `Countersign serves ${url}

In another terminal:
  ${directory}${address}npm run demo
  TOKEN=$(${directory}npx countersign token --as member)
  curl -s ${url} -H "authorization: Bearer $TOKEN" -H "content-type: application/json" \\
    -d '{"query":"{ viewer { id kind roles } ledger { id head { seq hash } } }"}'

In a browser, with any name and a person's token as the password:
  ${url}

`;
}

/** Prints a message for the operator to stderr; stdout has the log. */
function say(text: string): void {
  process.stderr.write(text);
}

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process at once. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let first: number | undefined;
    const onSignal = (signal: NodeJS.Signals) => {
      if (first === undefined) {
        first = Date.now();
        resolve(signal);
      } else if (Date.now() - first > echo) {
        process.stderr.write(`${signal} again: stopping at once\n`);
        process.exit(130);
      }
    };
    process.on("SIGINT", onSignal);
    process.on("SIGTERM", onSignal);
  });
}

async function serve(options: ServerOptions): Promise<void> {
  const config = settings(options);
  const log = createLogger(config.logLevel);
  log.info({ settings: effectiveSettings(config) }, "starting");
  const stopped = stopSignal();
  await assertListenable(config);
  await makeFolders(config);
  // The schema takes a second to build, which no other command should wait for.
  const { startServer } = await import("../main.ts");
  const server = await startServer(config, { log, say });
  say(await firstSteps(server.url, server.config));
  // Otherwise only written at the end of the process, which a crash skips.
  flushCompileCache();
  log.info({ signal: await stopped }, "stopping");
  await server.close();
  log.info({}, "stopped");
}

export function defineServe(program: Command): void {
  program
    .command("serve")
    .summary("run the server")
    .description(
      "Serves GraphQL over HTTP, Server-Sent Events and WebSocket. Without DATABASE_URL it runs its own PostgreSQL in the " +
        "data directory. SIGINT or SIGTERM stops it after the calls in progress, a second signal immediately.",
    )
    .option("--port <number>", "port to listen on; 0: any free port (default: PORT, then 4000)", wholeNumber(0, 65_535))
    .option("--host <address>", "address to listen on (default: HOST, then 127.0.0.1)")
    .option(
      "--data-dir <directory>",
      "folder of the keys, last known heads and built-in database (default: DATA_DIR, then .data)",
    )
    .option("--catalog <file>", "file of the tools and platforms (default: CATALOG, then the sample)")
    .addHelpText(
      "after",
      "\nExamples:\n  countersign serve\n  countersign serve --port 8080 --catalog catalog.json\n" +
        "  DATABASE_URL=postgres://oc_app@db/countersign countersign serve",
    )
    .addHelpText(
      "after",
      exitCodesHelp({
        OK: "stopped by a signal",
        FAILED: true,
        USAGE: "wrong arguments or settings",
        UNREACHABLE: "database not reachable",
      }),
    )
    .action(serve);
}
