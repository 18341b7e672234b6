import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Files in PEM. */
export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** A certificate authority whose files are in a folder. */
export interface Authority extends CertificateFiles {
  /** Its certificate, in PEM. */
  readonly ca: string;
  /** Makes a certificate for host names and IP addresses, as `DNS:localhost,IP:127.0.0.1`. `file` is a name without extension. */
  issue(file: string, names: string): Promise<CertificateFiles>;
}

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/** Makes a certificate authority with openssl, of Debian. */
export async function createAuthority(folder: string, name = "ca"): Promise<Authority> {
  const filesOf = (file: string): CertificateFiles => ({
    certFile: path.join(folder, `${file}.pem`),
    keyFile: path.join(folder, `${file}.key`),
  });
  const own = filesOf(name);
  await run("openssl", ["req", "-x509", ...KEY, "-keyout", own.keyFile, "-out", own.certFile, "-subj", `/CN=${name}`]);
  return {
    ...own,
    ca: await readFile(own.certFile, "utf8"),
    async issue(file, names) {
      const made = filesOf(file);
      const signed = ["-CA", own.certFile, "-CAkey", own.keyFile];
      const what = [
        "-subj",
        `/CN=${file}`,
        "-addext",
        `subjectAltName=${names}`,
        "-addext",
        "basicConstraints=CA:FALSE",
      ];
      await run("openssl", [
        "req",
        "-x509",
        ...KEY,
        ...signed,
        ...what,
        "-keyout",
        made.keyFile,
        "-out",
        made.certFile,
      ]);
      return made;
    },
  };
}
