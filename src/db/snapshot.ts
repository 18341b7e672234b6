import { Client, type ClientBase, type Pool, type PoolClient, type QueryArrayResult, type QueryResult } from "pg";
import { asError, DomainError } from "../errors.ts";
import { connectionLost } from "./errors.ts";

/** A read of a snapshot that was open for too long. */
export class SnapshotExpiredError extends DomainError<"QUERY_TOO_COMPLEX"> {
  constructor(seconds: number) {
    super("QUERY_TOO_COMPLEX", `Reading took longer than ${seconds} seconds in all. Ask for less at a time.`);
  }
}

/** A read of a snapshot that brought more than one may read. */
export class SnapshotTooLargeError extends DomainError<"RESPONSE_TOO_LARGE"> {
  constructor(bytes: number) {
    super("RESPONSE_TOO_LARGE", `More than ${bytes} bytes would have to be read. Ask for fewer at a time (\`first\`).`);
  }
}

/** Reads that all see the database as it was at the first of them. */
export interface Snapshot<First> extends Pick<ClientBase, "query"> {
  /** The result of the first statement. Opens the snapshot, as any read does. */
  first(): Promise<First>;
  /** Whether a read has begun: it has a connection, or waits for one. */
  hasBegun(): boolean;
  /** Gives the connection back, however reading went. Later reads reject. Never rejects; idempotent. */
  end(): Promise<void>;
}

export interface SnapshotOptions<First> {
  /** How long a snapshot may be open. A connection is held no longer, whatever its reader does. */
  readonly maxSeconds: number;
  /** Bytes that all reads together may bring; the connection is closed at the next one. Unlimited when omitted. */
  readonly maxBytes?: number | undefined;
  /** Resolves when a connection may be taken, to a function that is called when it was given back. At once when omitted. */
  readonly turn?: (() => Promise<() => void>) | undefined;
  /** SQL, without parameters, that is run with BEGIN in one round trip. */
  readonly statement: string;
  /**
   * Tables that are locked before the snapshot is taken, so that none gets other partitions between that and the first read
   * of it: rows that were moved would be seen in neither.
   */
  readonly tables?: readonly string[];
  /** What `statement` found; undefined: look again in a new snapshot, once this has resolved. */
  readonly read: (found: QueryResult) => First | Promise<undefined>;
}

const BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
const MAX_OPENINGS = 3;

type Query = (...parameters: unknown[]) => Promise<QueryResult & QueryArrayResult>;

/**
 * A snapshot on one connection of `pool`, which is taken at the first read: who reads nothing takes none. Reads wait for
 * each other. Code that holds a snapshot must not need a second connection of the same pool.
 */
export function createSnapshot<First>(pool: Pool, options: SnapshotOptions<First>): Snapshot<First> {
  const { maxSeconds, maxBytes, turn: takeTurn, statement, tables = [], read } = options;
  const lock = tables.map((table) => `LOCK TABLE ONLY ${table} IN ACCESS SHARE MODE; `).join("");
  let opening: Promise<{ readonly client: PoolClient; readonly first: First }> | undefined;
  let over: Error | undefined;
  let running = 0;
  let timer: NodeJS.Timeout | undefined;
  let turn: Promise<unknown> = Promise.resolve();
  let stopCounting = () => {};
  let endTurn = () => {};

  /** Does `work` when all before it is done, however that ended: a connection takes one statement at a time. */
  function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = turn.then(work);
    turn = Promise.allSettled([result]);
    return result;
  }

  async function begin(client: PoolClient): Promise<First> {
    for (let openings = 0; openings < MAX_OPENINGS; openings += 1) {
      const results: unknown = await client.query(`${BEGIN}; ${lock}${statement}`);
      const found = (Array.isArray(results) ? results.at(-1) : results) as QueryResult;
      const first = read(found);
      if (!(first instanceof Promise)) return first;
      await client.query("ROLLBACK");
      await first;
    }
    throw new Error("what a snapshot begins with is not there");
  }

  function giveBack(client: PoolClient, error?: Error | boolean): void {
    client.release(error);
    endTurn();
  }

  async function open() {
    endTurn = (await takeTurn?.()) ?? endTurn;
    let client: PoolClient;
    try {
      client = await pool.connect();
    } catch (error) {
      endTurn();
      throw error;
    }
    try {
      const first = await begin(client);
      if (over !== undefined) throw over;
      timer = setTimeout(() => expire(client), maxSeconds * 1000);
      if (maxBytes !== undefined) countBytes(client, maxBytes);
      return { client, first };
    } catch (error) {
      giveBack(client, true);
      throw error;
    }
  }

  /** Counts what arrives, as it arrives: rows are held until their statement is complete. */
  function countBytes(client: PoolClient, most: number): void {
    if (!(client instanceof Client)) return;
    const { stream } = client.connection;
    let left = most;
    const count = (chunk: Buffer) => {
      left -= chunk.length;
      if (left >= 0) return;
      stopCounting();
      abandon(client, new SnapshotTooLargeError(most));
    };
    stopCounting = () => void stream.off("data", count);
    stream.on("data", count);
  }

  function expire(client: PoolClient): void {
    stopCounting();
    const expired = new SnapshotExpiredError(maxSeconds);
    if (running === 0) return void close(client, expired);
    // A statement under way can be left only together with its connection.
    over = expired;
    giveBack(client, true);
  }

  /** A connection that is lost, or does not respond, is not waited for again. */
  function abandon(client: PoolClient, why: Error): void {
    over = why;
    clearTimeout(timer);
    stopCounting();
    giveBack(client, true);
  }

  /** Gives the connection back, once what is under way on it has come to its end. */
  async function close(client: PoolClient, why: Error): Promise<void> {
    if (over !== undefined) return;
    over = why;
    clearTimeout(timer);
    stopCounting();
    try {
      await inTurn(() => client.query("COMMIT"));
      giveBack(client);
    } catch (error) {
      giveBack(client, asError(error));
    }
  }

  function opened() {
    if (over !== undefined) return Promise.reject(over);
    opening ??= open();
    return opening;
  }

  const query: Query = async (...parameters) => {
    const { client } = await opened();
    if (over !== undefined) throw over;
    running += 1;
    try {
      return await inTurn(() => (client.query as Query)(...parameters));
    } catch (error) {
      if (over === undefined && connectionLost(error)) abandon(client, asError(error));
      throw over ?? error;
    } finally {
      running -= 1;
    }
  };

  return {
    query: query as ClientBase["query"],
    first: async () => (await opened()).first,
    hasBegun: () => opening !== undefined,
    async end() {
      const ended = new Error("the snapshot has ended");
      if (opening === undefined) {
        over ??= ended;
        return;
      }
      // The reads have rejected with the reason.
      const snapshot = await opening.catch(() => undefined);
      if (snapshot === undefined) over ??= ended;
      else await close(snapshot.client, ended);
    },
  };
}
