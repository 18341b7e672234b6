import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { GraphQLParams } from "graphql-yoga";
import { contentDigestHolds } from "../domain/identity/clients/content-digest.ts";
import { graphqlError } from "../graphql/base/errors.ts";
import { parseStrictJson, StrictJsonError } from "./strict-json.ts";

/** Bytes a request may have. */
export const MAX_BODY = 1_000_000;
/** Bytes of the parts of requests beyond MAX_BODY that are held at a time: whatever comes then has to come again. */
const MAX_BEYOND = 128 * 1024 * 1024;
let beyond = 0;
/** The same without a token, with which little can be asked for. */
export const MAX_ANONYMOUS_BODY = 65_536;

function refuse(status: number, message: string) {
  return graphqlError("BAD_USER_INPUT", message, { http: { status } });
}

/**
 * The body of a request, at most `most` bytes. Throws 413 as soon as it is known to be larger, with `hint` behind that; the rest is then
 * discarded.
 */
export function readBody(request: IncomingMessage, most: number, hint = ""): Promise<Buffer> {
  const tooLarge = () => refuse(413, `The request is larger than ${most} bytes.${hint}`);
  if (Number(request.headers["content-length"] ?? 0) > most) {
    request.resume();
    return Promise.reject(tooLarge());
  }
  const broken = () => refuse(400, "The request broke off.");
  // While its token was looked at: no event comes any more.
  if (request.destroyed) return Promise.reject(broken());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    /** Of `beyond`. */
    let held = 0;
    const collect = (chunk: Buffer) => {
      const before = size;
      size += chunk.length;
      chunks.push(chunk);
      const more = Math.max(0, size - MAX_BODY) - Math.max(0, before - MAX_BODY);
      beyond += more;
      held += more;
      if (size <= most && (more === 0 || beyond <= MAX_BEYOND)) return;
      stop();
      request.resume();
      reject(size > most ? tooLarge() : refuse(503, "Too many large requests are being read. Send it again."));
    };
    const end = () => {
      stop();
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks));
    };
    const brokenOff = () => {
      stop();
      reject(broken());
    };
    const stop = () => {
      beyond -= held;
      held = 0;
      request.off("data", collect).off("end", end).off("error", brokenOff).off("close", brokenOff);
    };
    request.on("data", collect).on("end", end).on("error", brokenOff).on("close", brokenOff);
  });
}

const JSON_TYPE = /^application\/(?:graphql\+)?json\s*(?:;|$)/i;
const CHARSET = /;\s*charset\s*=\s*"?([^";\s]+)/i;

function checkContentType(contentType: string | undefined): void {
  const charset = CHARSET.exec(contentType ?? "")?.[1] ?? "utf-8";
  if (!JSON_TYPE.test(contentType ?? "") || !/^utf-?8$/i.test(charset)) {
    throw refuse(415, "Send the request as application/json, in UTF-8.");
  }
}

/** The JSON value of `text`, as BAD_USER_INPUT when it cannot be read in one way only. */
function strict(text: string): unknown {
  try {
    return parseStrictJson(text);
  } catch (error) {
    if (error instanceof StrictJsonError) throw refuse(400, `The request is not acceptable JSON: ${error.message}.`);
    throw error;
  }
}

/** The GraphQL parameters of a POST. What they hold is Yoga's to check. */
export async function readPost(
  request: IncomingMessage,
  { anonymous = false, most = MAX_BODY }: { readonly anonymous?: boolean; readonly most?: number | undefined } = {},
): Promise<GraphQLParams> {
  checkContentType(request.headers["content-type"]);
  const body = anonymous
    ? await readBody(request, MAX_ANONYMOUS_BODY, " With a token it may be larger.")
    : await readBody(request, most);
  const digest = request.headers["content-digest"];
  // The signature covers only the digest: the body must match it.
  if (digest !== undefined && !contentDigestHolds(String(digest), body)) {
    throw refuse(400, "Content-Digest is not that of the body (RFC 9530, sha-256 or sha-512).");
  }
  if (!isUtf8(body)) throw refuse(400, "The request is not UTF-8.");
  const params = strict(body.toString("utf8"));
  if (typeof params !== "object" || params === null || Array.isArray(params)) {
    throw refuse(400, "The request is one JSON object; batches are not supported.");
  }
  return params;
}

/** The GraphQL parameters of a GET. */
export function readGet({ url = "" }: IncomingMessage): GraphQLParams {
  const query = new URLSearchParams(url.includes("?") ? url.slice(url.indexOf("?") + 1) : "");
  const json = (name: string) => {
    const text = query.get(name);
    return text === null || text === "" ? {} : { [name]: strict(text) };
  };
  const text = (name: string) => {
    const value = query.get(name);
    return value === null || value === "" ? {} : { [name]: value };
  };
  return { ...text("query"), ...text("operationName"), ...json("variables"), ...json("extensions") };
}
