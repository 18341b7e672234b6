import { createHash, createHmac, pbkdf2, randomBytes } from "node:crypto";
import { promisify } from "node:util";

/** PostgreSQL's default. */
const ITERATIONS = 4_096;
const SALT_BYTES = 16;

const hmac = (key: Buffer, text: string) => createHmac("sha256", key).update(text).digest();

/**
 * What PostgreSQL stores of a password (RFC 5803): from it nobody can log in, so it may be in a statement that is logged. `password` is
 * printable ASCII, which SASLprep (RFC 4013) leaves as it is.
 */
export async function scramVerifier(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const salted = await promisify(pbkdf2)(password, salt, ITERATIONS, 32, "sha256");
  const storedKey = createHash("sha256").update(hmac(salted, "Client Key")).digest("base64");
  const serverKey = hmac(salted, "Server Key").toString("base64");
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString("base64")}$${storedKey}:${serverKey}`;
}
