import { parentPort } from "node:worker_threads";
import { asError } from "../../../errors.ts";
import { parseJson } from "../../../facts/parse-json.ts";
import type { Question, Reply } from "./apart.ts";
import { createFingerprinter } from "./digest.ts";
import { placesOf } from "./places.ts";
import { readSetOf } from "./read-set.ts";
import { writtenOf } from "./written.ts";

/** The side of the thread: see `createThreads`. */
function replyTo({ of, key, json }: Question): readonly [Reply, readonly ArrayBuffer[]] {
  try {
    const fingerprinter = createFingerprinter(key);
    const value = parseJson(json);
    if (of === "READ") {
      const read = readSetOf(value, Buffer.byteLength(json), fingerprinter);
      return [{ read }, [read.bytes.buffer]];
    }
    if (of === "WRITE") {
      const written = writtenOf(value, fingerprinter);
      return [{ written }, [written.fingerprints.buffer, written.rest.buffer]];
    }
    const places = placesOf(value, fingerprinter);
    return [{ places }, [places.fingerprints.buffer, places.rest.buffer]];
  } catch (error) {
    return [{ problem: asError(error).message }, []];
  }
}

parentPort?.on("message", (question: Question) => {
  const [reply, moved] = replyTo(question);
  parentPort?.postMessage(reply, [...moved]);
});
parentPort?.postMessage("READY");
