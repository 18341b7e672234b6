import type { ClientBase, Connection } from "pg";

/**
 * The rows of `select` in PostgreSQL's binary format, which is the cheapest way to read many. `onRow` is called for each,
 * with bytes that are good until it returns, and never again once it threw. Rejects with what it threw, also when the database
 * reports an error after that, or with the database's error. Nothing is read ahead: `onRow` is as slow as it likes.
 */
export function copyOut(client: ClientBase, select: string, onRow: (row: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const copy = new CopyOut(`COPY (${select}) TO STDOUT (FORMAT binary)`, onRow, (error) =>
      error === undefined ? resolve() : reject(error),
    );
    client.query(copy);
  });
}

/** The first message begins with this, and 8 more bytes of flags and lengths. */
const SIGNATURE = Buffer.from("PGCOPY\n\xff\r\n\0", "latin1");
const HEADER_BYTES = SIGNATURE.length + 8;
/** Bytes of the number of fields, which is -1 at the end. */
const COUNT_BYTES = 2;

/** A query as `pg` runs it; the methods are what its client calls. */
class CopyOut {
  readonly #sql: string;
  readonly #onRow: (row: Buffer) => void;
  /** Replaced by the client when its queries have a time limit: what is called ends that, too. */
  callback: (error: unknown) => void;
  #started = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(sql: string, onRow: (row: Buffer) => void, settle: (error: unknown) => void) {
    this.#sql = sql;
    this.#onRow = onRow;
    this.callback = settle;
  }

  submit(connection: Connection): void {
    connection.query(this.#sql);
  }

  handleCopyData({ chunk }: { readonly chunk: Buffer }): void {
    if (this.#failure !== undefined) return;
    let at = 0;
    if (!this.#started) {
      this.#started = true;
      at = HEADER_BYTES;
    }
    if (at + COUNT_BYTES > chunk.length || chunk.readInt16BE(at) < 0) return;
    try {
      this.#onRow(at === 0 ? chunk : chunk.subarray(at));
    } catch (error) {
      this.#failure = { error };
    }
  }

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.callback(this.#failure?.error);
  }

  handleError(error: Error): void {
    this.callback(this.#failure?.error ?? error);
  }
}
