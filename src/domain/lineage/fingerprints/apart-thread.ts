import { parentPort } from "node:worker_threads";
import { asError } from "../../../errors.ts";
import { parseJson } from "../../../facts/parse-json.ts";
import type { Question, Reply } from "./apart.ts";
import { createFingerprinter } from "./digest.ts";
import { placesOf } from "./places.ts";
import { readSetOf } from "./read-set.ts";
import { writtenOf } from "./written.ts";

/** The side of the thread: see `createFingerprintMaker`. */
function replyTo(question: Question): readonly [Reply, readonly ArrayBuffer[]] {
  const { id, of, key, json, wanted } = question;
  try {
    const fingerprinter = createFingerprinter(key);
    const value = parseJson(json);
    if (wanted !== undefined) return [{ id, places: placesOf(value, fingerprinter, of === "WRITE", wanted) }, []];
    if (of === "READ") {
      const read = readSetOf(value, Buffer.byteLength(json), fingerprinter);
      return [{ id, read }, [read.bytes.buffer]];
    }
    const written = writtenOf(value, fingerprinter);
    return [{ id, written }, [written.fingerprints.buffer, written.rest.buffer]];
  } catch (error) {
    return [{ id, problem: asError(error).message }, []];
  }
}

parentPort?.on("message", (question: Question) => {
  const [reply, moved] = replyTo(question);
  parentPort?.postMessage(reply, [...moved]);
});
