import type { Config } from "../config.ts";
import type { Logger } from "../log.ts";
import type { Closing } from "./closing.ts";

/** What every area is wired with. */
export interface Start {
  readonly config: Config;
  readonly log: Logger;
  /** Receives what belongs into no log, such as a one-time code, for whoever sits in front of the server. */
  readonly say: (text: string) => void;
  readonly closing: Closing;
  /** Where clients reach this server: scheme, host and port. Empty until the server listens, unless a setting says it. */
  readonly publicUrl: () => string;
}
