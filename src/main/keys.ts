import { stat } from "node:fs/promises";
import { type Keys, loadKeys } from "../domain/identity/keys.ts";
import { ConfigurationError } from "../errors.ts";
import type { Start } from "./start.ts";

/** Milliseconds between two looks at the key file. */
const LOOK_EVERY = 2_000;

/**
 * The keys of the installation. When the key that signs facts is rotated, this server uses the new one after a few seconds;
 * other keys are those at the start.
 */
export async function startKeys({ config, log, closing }: Start): Promise<Keys> {
  const file = config.signingKeyFile;
  // Before reading: a file that is replaced meanwhile is read again.
  let version = await versionOf(file);
  let keys = await loadKeys(file);
  let unusable: string | undefined;
  let looking = Promise.resolve();

  async function look(): Promise<void> {
    let found = "unknown";
    try {
      found = await versionOf(file);
      if (found === version) return;
      if (found === MISSING) throw new ConfigurationError(`the key file ${file} was removed: restore it from a backup`);
      const { facts } = await loadKeys(file);
      if (facts.signing.kid !== keys.facts.signing.kid)
        log.info({ kid: facts.signing.kid }, "facts are signed with a new key");
      keys = { ...keys, facts };
      [version, unusable] = [found, undefined];
    } catch (error) {
      // Read again at every look, since it may be usable then, and said once.
      if (found === unusable) return;
      unusable = found;
      log.error({ err: error, file }, "the key file changed and cannot be used; the keys read before are used on");
    }
  }

  const timer = setInterval(() => {
    looking = looking.then(look);
  }, LOOK_EVERY);
  timer.unref();
  closing.add(async () => {
    clearInterval(timer);
    await looking;
  });
  return {
    grants: keys.grants,
    issuer: keys.issuer,
    secret: keys.secret,
    get facts() {
      return keys.facts;
    },
  };
}

const MISSING = "missing";

/** Changes whenever the file is replaced. */
async function versionOf(file: string): Promise<string> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  return found === undefined ? MISSING : `${found.ino} ${found.mtimeMs} ${found.size}`;
}
