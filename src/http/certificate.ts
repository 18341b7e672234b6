import { createHash, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { asError, ConfigurationError } from "../errors.ts";
import type { Logger } from "../log.ts";

/** Files in PEM (RFC 7468). */
export interface CertificateFiles {
  /** The server's certificate, followed by those between it and the root. */
  readonly certFile: string;
  /** Its private key. */
  readonly keyFile: string;
}

/** What a TLS server needs to prove its name. */
export interface Certificate {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** TLS 1.3 (RFC 8446) alone. */
export const TLS_OPTIONS = { minVersion: "TLSv1.3" } as const;

async function read({ certFile, keyFile }: CertificateFiles): Promise<Certificate> {
  const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
  return { cert, key };
}

/** The end of validity, as in the certificate. Throws when certificate and key are not a pair that TLS can use. */
function validate(certificate: Certificate): string {
  createSecureContext({ ...TLS_OPTIONS, ...certificate });
  return new X509Certificate(certificate.cert).validTo;
}

/** Reads a certificate and its key. Throws ConfigurationError naming the settings when they are not a usable pair. */
export async function readCertificate(files: CertificateFiles): Promise<Certificate> {
  try {
    const certificate = await read(files);
    validate(certificate);
    return certificate;
  } catch (error) {
    const { certFile, keyFile } = files;
    throw new ConfigurationError(
      `${certFile} (TLS_CERT_FILE) and ${keyFile} (TLS_KEY_FILE) are not a certificate and its key in PEM: ${asError(error).message}`,
      error,
    );
  }
}

export interface WatchOptions {
  /** The certificate that is in use. */
  readonly first: Certificate;
  /** Receives each new certificate, once it was checked that its private key belongs to it. */
  readonly use: (certificate: Certificate) => void;
  readonly log: Pick<Logger, "info" | "error">;
}

/**
 * Milliseconds between two looks at the files. They are read rather than watched: orchestrators replace them by switching a
 * symbolic link further up, of which the file system reports nothing.
 */
const INTERVAL = 2_000;

/**
 * Uses the certificate in `files` whenever it changes. A pair that cannot be used is logged once, when it is still there at the
 * second look: the two files are replaced one after the other. Returns a function that stops.
 */
export function watchCertificate(files: CertificateFiles, { first, use, log }: WatchOptions): () => void {
  let used = fingerprint(first);
  let broken: { readonly state: string; logged: boolean } | undefined;
  let looking = false;

  async function look(): Promise<void> {
    let state = "unreadable";
    try {
      const found = await read(files);
      state = fingerprint(found);
      if (state !== used) {
        const validTo = validate(found);
        use(found);
        used = state;
        log.info({ validTo }, "the TLS certificate was replaced");
      }
      broken = undefined;
    } catch (error) {
      if (broken?.state !== state) {
        broken = { state, logged: false };
      } else if (!broken.logged) {
        broken.logged = true;
        log.error({ err: error, ...files }, "the TLS certificate cannot be used, the one before it still is");
      }
    }
  }

  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    void look().finally(() => {
      looking = false;
    });
  }, INTERVAL);
  timer.unref();
  return () => clearInterval(timer);
}

function fingerprint({ cert, key }: Certificate): string {
  return createHash("sha256").update(cert).update("\0").update(key).digest("hex");
}
