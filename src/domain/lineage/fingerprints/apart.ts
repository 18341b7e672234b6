import { parseJson } from "../../../facts/parse-json.ts";
import { createFingerprinter, type Fingerprinter } from "./digest.ts";
import { type Places, placesOf } from "./places.ts";
import { type ReadSet, readSetOf } from "./read-set.ts";
import { createThreads } from "./threads.ts";
import { type Written, writtenOf } from "./written.ts";

/** What a thread is asked: JSON as text, which costs little to hand over. */
export interface Question {
  readonly of: "READ" | "WRITE" | "PLACES";
  readonly key: Uint8Array;
  readonly json: string;
}
export type Reply =
  | { readonly read: ReadSet }
  | { readonly written: Written }
  | { readonly places: Places }
  | { readonly problem: string };

/** Makes fingerprints without holding up this thread: what is large goes to other ones. */
export interface FingerprintMaker {
  /**
   * The fingerprints of the value of `json`, made with `key`, which is of one ledger; undefined when it took too long, or that ledger has too much to
   * do: nothing is known of what was read then, which the caller has to say.
   */
  ofRead(key: Uint8Array, json: string): Promise<ReadSet | undefined>;
  /** The same of what is to be written. */
  ofWrite(key: Uint8Array, json: string): Promise<Written | undefined>;
  /** Where the values are in what was read; undefined as above. */
  places(key: Uint8Array, json: string): Promise<Places | undefined>;
  /** Ends the threads. */
  close(): Promise<void>;
}

export interface FingerprintMakerOptions {
  /** Milliseconds for one value, from when a thread begins with it. */
  readonly maxMs?: number;
}

/** Characters of JSON up to which it takes a few milliseconds. */
const SMALL_READ = 4 * 1024;
const SMALL_WRITE = 2 * 1024;
const MAX_MS = 10_000;

export function createFingerprintMaker({ maxMs = MAX_MS }: FingerprintMakerOptions = {}): FingerprintMaker {
  const threads = createThreads(maxMs);

  return {
    async ofRead(key, json) {
      if (json.length <= SMALL_READ) return readSetOf(parseJson(json), Buffer.byteLength(json), fingerprinterOf(key));
      const reply = await threads.ask({ of: "READ", key, json });
      return reply !== undefined && "read" in reply ? reply.read : undefined;
    },
    async ofWrite(key, json) {
      if (json.length <= SMALL_WRITE) return writtenOf(parseJson(json), fingerprinterOf(key));
      const reply = await threads.ask({ of: "WRITE", key, json });
      return reply !== undefined && "written" in reply ? reply.written : undefined;
    },
    async places(key, json) {
      if (json.length <= SMALL_READ) return placesOf(parseJson(json), fingerprinterOf(key));
      const reply = await threads.ask({ of: "PLACES", key, json });
      return reply !== undefined && "places" in reply ? reply.places : undefined;
    },
    close: () => threads.close(),
  };
}

const made = new WeakMap<Uint8Array, Fingerprinter>();

/** The same one for the same key. */
function fingerprinterOf(key: Uint8Array): Fingerprinter {
  const known = made.get(key) ?? createFingerprinter(key);
  made.set(key, known);
  return known;
}
