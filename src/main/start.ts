import type { Config } from "../config.ts";
import type { Logger } from "../log.ts";
import type { Closing } from "./closing.ts";

/** What every area is wired with. */
export interface Start {
  readonly config: Config;
  readonly log: Logger;
  /** Prints what must not be logged, such as a one-time code, for the operator. */
  readonly say: (text: string) => void;
  readonly closing: Closing;
  /** Scheme, host and port that clients use. Empty until the server listens, unless set by PUBLIC_URL. */
  readonly publicUrl: () => string;
}
