import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { asError, DomainError } from "../../errors.ts";
import type { BackupManifest } from "./manifest.ts";

/** A file of a backup is not the one that was written. */
export class BackupDamagedError extends DomainError<"BACKUP_DAMAGED"> {
  constructor(file: string, what: string, cause?: unknown) {
    super("BACKUP_DAMAGED", `the backup cannot be used: ${file} ${what}`, { cause });
  }
}

/** Reads every file of the backup once. Rejects with BackupDamagedError that names the first bad one. */
export async function checkFiles(
  directory: string,
  { tables, keys }: Pick<BackupManifest, "tables" | "keys">,
  onProgress?: (bytes: number, total: number, file: string) => void,
): Promise<void> {
  const files = [...tables, ...(keys === null ? [] : [keys])];
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  for (const { file, bytes, sha256 } of files) {
    const path = join(directory, file);
    const hash = createHash("sha256");
    let size = 0;
    try {
      for await (const chunk of createReadStream(path)) {
        hash.update(chunk as Buffer);
        size += (chunk as Buffer).length;
        onProgress?.(done + size, total, file);
      }
    } catch (cause) {
      throw new BackupDamagedError(path, `cannot be read (${asError(cause).message})`, cause);
    }
    if (size !== bytes) throw new BackupDamagedError(path, `has ${size} bytes in place of ${bytes}`);
    if (hash.digest("hex") !== sha256) throw new BackupDamagedError(path, "has other content than was written");
    done += size;
  }
}
