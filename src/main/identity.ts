import type { CopyPlace } from "../domain/directory/copies.ts";
import { createDirectory, type Directory } from "../domain/directory/directory.ts";
import { createAuthenticator } from "../domain/identity/authenticate.ts";
import type { Authentication } from "../domain/identity/authentication.ts";
import { createCurrentClaims } from "../domain/identity/browser/current-claims.ts";
import { createSessionTokens } from "../domain/identity/browser/session-tokens.ts";
import { createClientIdentifier } from "../domain/identity/client-identity.ts";
import { AuthenticationError, TooManyProofsError } from "../domain/identity/errors.ts";
import { type IdentitySettings, loadIdentityFile, parseIdentityFile } from "../domain/identity/identity-file.ts";
import type { Keys } from "../domain/identity/keys.ts";
import { assertBuiltinAllowed, createBuiltinIssuer } from "../domain/identity/tokens/builtin-issuer.ts";
import { type TrustedIssuer, trustIssuer } from "../domain/identity/tokens/issuers.ts";
import { createUsedOnce } from "../domain/identity/used-once.ts";
import { createUsedOnceElsewhere, createUsedOnceIn } from "../domain/identity/used-once-elsewhere.ts";
import { createReadingLog, type ReadingLog } from "../domain/reading-log/reading-log.ts";
import { createOpenSessions } from "../domain/sessions/open-sessions.ts";
import type { Sessions } from "../domain/sessions/sessions.ts";
import type { CallIdentity } from "../http/call.ts";
import type { Metrics } from "../http/metrics.ts";
import { cookieCredentials, sessionCookie } from "../http/sign-in/cookie-credentials.ts";
import { LOGIN } from "../http/sign-in/login.ts";
import { createSignIn, type SignIn } from "../http/sign-in/sign-in.ts";
import { LedgerUnavailableError } from "../ledger/errors.ts";
import type { Ledgers } from "../ledger/ledger.ts";
import type { Queryable } from "../ledger/read.ts";
import type { IsSigned } from "../ledger/signatures/check.ts";
import type { Logger } from "../log.ts";
import type { Start } from "./start.ts";

/** `aud` of every token that is meant for us, and not for another service of the same issuer. */
export const AUDIENCE = "countersign";

/** The content of the identity file; without one, that of the built-in issuer only. Throws ConfigurationError. */
export async function readIdentitySettings(config: {
  readonly identityFile: string | undefined;
  readonly host: string;
  readonly production: boolean;
}): Promise<IdentitySettings> {
  const settings =
    config.identityFile === undefined ? parseIdentityFile({}) : await loadIdentityFile(config.identityFile);
  if (settings.issuers.length === 0) assertBuiltinAllowed(config);
  return settings;
}

export interface IdentityDeps {
  readonly settings: IdentitySettings;
  readonly keys: Keys;
  readonly ledgers: Ledgers;
  readonly isSigned: IsSigned;
  readonly sessions: Sessions;
  readonly db: Queryable;
  readonly region: string;
  /** How old the groups and roles of a browser session may be, in milliseconds: in all, and for a decision. */
  readonly claimsMaxAge: { readonly reading: number; readonly decision: number };
  /** The platforms of the catalog, by name. */
  readonly platforms: readonly string[];
  /** Regions whose ledgers have copies of directories. Default: none. */
  readonly copies?: () => readonly CopyPlace[];
  /** Seconds for which they are worked under. Default: 0. */
  readonly copySeconds?: number;
  /** Whether `db` is none, since the home region is served elsewhere. Default: false. */
  readonly isHomeElsewhere?: boolean;
  /** The reading log that records refused callers; undefined: that of the home region. Default: that one. */
  readonly refusedIn?: () => Pick<ReadingLog, "refused"> | undefined;
  readonly publicUrl: () => string;
  readonly metrics: Pick<Metrics, "authenticationRefused">;
  readonly log: Logger;
}

export interface IdentityServices {
  readonly calls: CallIdentity;
  readonly directory: Directory;
  readonly readingLog: ReadingLog;
  readonly signIn: SignIn;
  /** Ends what was started, and records what was only counted. */
  stop(): Promise<void>;
}

/** Everything about who calls, for one process. */
export function createIdentity(deps: IdentityDeps): IdentityServices {
  const { settings, keys, ledgers, isSigned, sessions, db, region, platforms, publicUrl, metrics, log } = deps;
  const { claimsMaxAge, copies = () => [], copySeconds = 0, isHomeElsewhere = false } = deps;
  const sessionTokens = createSessionTokens({ keys, audience: AUDIENCE });
  const elsewhere = () => copies().map((place) => place.db);
  const usedOnce = isHomeElsewhere
    ? createUsedOnceIn(elsewhere)
    : createUsedOnceElsewhere({ home: createUsedOnce({ db }), elsewhere });
  const authenticator = createAuthenticator({
    issuers: [...issuersOf(settings, keys, log), sessionTokens.trusted],
    usedOnce,
  });
  const { attribute } = sessions;
  const directory = createDirectory({
    ledgers,
    isSigned,
    db,
    region,
    platforms,
    log,
    attribute,
    copies,
    copySeconds,
  });
  const openSessions = createOpenSessions({ ledgers, db, region, log });
  const readingLog = createReadingLog({ ledgers, region, log, attribute });
  const clients = createClientIdentifier({
    trustedProxies: settings.trustedProxies,
    signatureAgents: settings.signatureAgents,
    gatewayKey: directory.gatewayKey,
    publicUrl,
    rules: settings.clientRules,
    usedOnce,
  });

  const claims = createCurrentClaims({
    db,
    secret: keys.secret("provider-session"),
    ask: (issuer, session) => signIn.ask(issuer, session),
    revoke: sessions.revoke,
    maxAge: claimsMaxAge.reading,
    decisionMaxAge: claimsMaxAge.decision,
    log,
  });
  /** What was presented by those who were admitted with a browser session. */
  const presentedBy = new WeakMap<Authentication, Authentication>();

  async function admit(
    presented: Authentication,
    update: (presented: Authentication) => Promise<Authentication>,
  ): Promise<Authentication> {
    if (presented.sessionId === undefined) return directory.admit(presented);
    // What has ended is not asked about.
    await openSessions.admit(presented);
    const admitted = await directory.admit(await update(presented));
    presentedBy.set(admitted, presented);
    return admitted;
  }

  const calls: CallIdentity = {
    authenticate: async (credentials) => admit(await authenticator.authenticate(credentials), claims.forReading),
    current: async (signedIn) =>
      signedIn.sessionId === undefined ? signedIn : admit(presentedBy.get(signedIn) ?? signedIn, claims.forReading),
    forDecision: async (signedIn) => admit(presentedBy.get(signedIn) ?? signedIn, claims.forDecision),
    cookie: (request) => cookieCredentials(request, publicUrl()),
    pageCookie: (request) => sessionCookie(request, publicUrl()),
    signInAt: settings.signIn.length > 0 ? LOGIN : undefined,
    watch(signedIn, onRevoked) {
      const unwatch = [
        directory.watch(signedIn, onRevoked),
        openSessions.watch(signedIn, onRevoked),
        claims.watch(presentedBy.get(signedIn) ?? signedIn, onRevoked),
      ];
      return () => {
        for (const stop of unwatch) stop();
      };
    },
    identify: (facts, signedIn) =>
      clients.identify(
        facts,
        signedIn && { organization: signedIn.principal.organization, clientId: signedIn.clientId },
      ),
    addressOf: clients.addressOf,
    refused(error, facts) {
      // The caller was not refused: the check could not be made.
      if (error instanceof LedgerUnavailableError || error instanceof TooManyProofsError) return;
      const known = error instanceof AuthenticationError ? error : undefined;
      metrics.authenticationRefused(known?.reason ?? "MALFORMED");
      if (known?.principal === undefined) return;
      const refusals = deps.refusedIn?.() ?? readingLog;
      refusals.refused(known.principal, known.reason, { address: clients.addressOf(facts) });
    },
  };

  const signIn = createSignIn({
    settings: settings.signIn,
    issuers: settings.issuers,
    secret: keys.secret("sign-in"),
    usedOnce,
    publicUrl,
    sessions,
    sessionTokens,
    claims,
    admit: directory.admit,
    identity: calls,
    recognize: authenticator.authenticate,
    onRefusal: metrics.authenticationRefused,
    log,
  });

  return {
    calls,
    directory,
    readingLog,
    signIn,
    async stop() {
      openSessions.stop();
      claims.stop();
      await directory.stop();
      await readingLog.stop();
    },
  };
}

/** The same with the settings of a server, stopped with it. */
export function startIdentity(
  { config, log, closing, publicUrl }: Start,
  deps: Omit<IdentityDeps, "region" | "publicUrl" | "log" | "claimsMaxAge" | "copySeconds" | "isHomeElsewhere">,
): IdentityServices {
  const identity = createIdentity({
    ...deps,
    region: config.region,
    claimsMaxAge: config.claimsMaxAge,
    copySeconds: config.homeCopyMaxAge,
    isHomeElsewhere: config.homeAddress !== undefined,
    publicUrl,
    log,
  });
  closing.add(() => identity.stop());
  return identity;
}

/** The issuers of the file, or the built-in one when there are none: never both. */
function issuersOf(settings: IdentitySettings, keys: Keys, log: Logger): readonly TrustedIssuer[] {
  if (settings.issuers.length > 0) return settings.issuers.map((issuer) => trustIssuer(issuer, { log }));
  return [createBuiltinIssuer({ keys, audience: AUDIENCE }).trusted];
}

/**
 * Prints a setup code for each organization without an administrator. The person who claims it becomes one, so `say` must
 * not write to a log.
 */
export async function offerSetupCodes(
  directory: Pick<Directory, "ensureSetupCode">,
  { issuers }: Pick<IdentitySettings, "issuers">,
  say: (text: string) => void,
): Promise<void> {
  for (const organization of new Set(issuers.map((issuer) => issuer.organization))) {
    const setup = await directory.ensureSetupCode(organization);
    if (setup === undefined) continue;
    say(
      `${organization} has no administrator. Sign in there as a person and call claimAdministrator with this code, once, before ` +
        `${setup.expiresAt.toISOString()}:\n\n  ${setup.code}\n\n`,
    );
  }
}
