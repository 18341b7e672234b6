import { bytesToHex } from "@noble/hashes/utils.js";
import { randomBytes16 } from "../facts/random.ts";
import { activeTraceId } from "../telemetry.ts";

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?$/;

/** The trace id of a W3C `traceparent` header; undefined when it is none. */
export function traceIdOf(traceparent: string | undefined): string | undefined {
  const [, traceId, parentId] = TRACEPARENT.exec(traceparent ?? "") ?? [];
  const valid =
    traceId !== undefined && !/^0+$/.test(traceId) && !/^0+$/.test(parentId ?? "") && !traceparent?.startsWith("ff");
  return valid ? traceId : undefined;
}

/** What every line and entry about one call is found by: the caller's trace, ours, or a fresh id. */
export function traceIdFor(traceparent: string | undefined): string {
  return activeTraceId() ?? traceIdOf(traceparent) ?? bytesToHex(randomBytes16());
}
