import { errors, jwtVerify } from "jose";
import { KeysUnavailableError, type SigningKeys } from "./signing-keys.ts";

/** Seconds by which the clock of the Bot Framework may differ from ours, as its documentation has it. */
const CLOCK_TOLERANCE = 300;
/** The channel of the Bot Framework that is Teams; others let callers choose who they are. */
export const TEAMS = "msteams";

/** Why a request is not taken for one of Teams. The message is for the log. */
export class UnverifiedError extends Error {
  override readonly name = "UnverifiedError";
}

export interface VerifierOptions {
  readonly keys: SigningKeys;
  readonly issuer: string;
  readonly now: () => number;
}

/**
 * Verifies the token of a request to the bot `appId` and returns its claim `serviceurl`. Throws UnverifiedError, and KeysUnavailableError when
 * nobody can say.
 */
export type Verifier = (authorization: string | undefined, appId: string) => Promise<string>;

export function createVerifier({ keys, issuer, now }: VerifierOptions): Verifier {
  return async (authorization, appId) => {
    const [, token] = /^Bearer ([\w.-]+)$/i.exec(authorization ?? "") ?? [];
    if (token === undefined) throw new UnverifiedError("there is no bearer token");
    try {
      const { payload } = await jwtVerify(
        token,
        async ({ kid }) => {
          const found = typeof kid === "string" ? await keys(kid) : undefined;
          if (found === undefined) throw new UnverifiedError("the key of the token is not published");
          const { key, endorsements } = found;
          if (endorsements?.includes(TEAMS) === false) throw new UnverifiedError("the key does not sign for Teams");
          return key;
        },
        {
          issuer,
          audience: appId,
          algorithms: ["RS256"],
          clockTolerance: CLOCK_TOLERANCE,
          currentDate: new Date(now()),
          requiredClaims: ["exp", "serviceurl"],
        },
      );
      if (typeof payload.serviceurl !== "string") throw new UnverifiedError("the service of the token is no text");
      return payload.serviceurl;
    } catch (error) {
      if (error instanceof errors.JOSEError) throw new UnverifiedError(`${error.code}: ${error.message}`);
      if (error instanceof UnverifiedError || error instanceof KeysUnavailableError) throw error;
      throw new UnverifiedError("the token cannot be read");
    }
  };
}
