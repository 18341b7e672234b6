import { z } from "zod";
import { LEDGER_PART } from "../../facts/entry.ts";
import { badData, readJsonFile } from "../../json-file.ts";
import { isSecureUrl } from "../identity/secure-url.ts";

/** Where the run events of an organization are sent. */
export interface Target {
  readonly url: string;
  /** Sent with each event, such as `authorization`. Secret. */
  readonly headers: Readonly<Record<string, string>>;
}

/** By organization. */
export type Targets = ReadonlyMap<string, Target>;

const MAX_HEADERS = 20;
const MAX_VALUE = 8_192;
/** Those that say how the message is sent (RFC 9110, section 7.6.1), or what is in it. */
const OWN_HEADERS = [
  "connection",
  "content-length",
  "content-type",
  "host",
  "keep-alive",
  "te",
  "transfer-encoding",
  "upgrade",
];

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}$/;
const headerValue = z
  .string()
  .regex(/^[\t\x20-\x7e]*$/, "has to be printable ASCII")
  .max(MAX_VALUE, `has to be at most ${MAX_VALUE} characters`);
const document = z.record(
  z.string().regex(LEDGER_PART, "is no name of an organization"),
  z.strictObject({
    url: z
      .string()
      .max(2_000)
      .refine(
        isSecureUrl,
        "has to be an https address without user and password, such as https://marquez.acme.example/api/v1/lineage",
      ),
    headers: z
      .record(z.string(), headerValue)
      .superRefine((headers, context) => {
        const names = Object.keys(headers);
        if (names.length > MAX_HEADERS) context.addIssue(`has to be at most ${MAX_HEADERS} headers`);
        for (const name of names) {
          const isOwn = OWN_HEADERS.includes(name.toLowerCase());
          if (isOwn) context.addIssue({ code: "custom", path: [name], message: "is set by the server itself" });
          else if (!HEADER_NAME.test(name)) {
            context.addIssue({ code: "custom", path: [name], message: "is no name of a header" });
          }
        }
      })
      .default({}),
  }),
);

/** Reads the file that OPENLINEAGE_FILE names; none: nothing is sent. Throws ConfigurationError. */
export async function loadTargets(file: string | undefined): Promise<Targets> {
  if (file === undefined) return new Map();
  const { value, source } = await readJsonFile({
    file,
    what: "file of OpenLineage targets",
    setting: "OPENLINEAGE_FILE",
  });
  const parsed = document.safeParse(value);
  if (!parsed.success) throw badData(source, parsed.error.issues);
  return new Map(Object.entries(parsed.data));
}
