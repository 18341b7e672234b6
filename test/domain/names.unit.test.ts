import { describe, expect, it } from "vitest";
import { checkProposal } from "../../src/domain/actions/input.ts";
import { checkId, checkName, checkPlatforms, checkRoles, tokenRecordId } from "../../src/domain/directory/input.ts";
import { parseIdentityFile } from "../../src/domain/identity/identity-file.ts";
import { readToken } from "../../src/domain/identity/tokens/claim-values.ts";
import { readerFor } from "../../src/domain/identity/tokens/claims.ts";
import { readHouseClaims } from "../../src/domain/identity/tokens/house-claims.ts";
import { parseCatalog } from "../../src/domain/policy/catalog.ts";
import { asError } from "../../src/errors.ts";
import { nameProblem } from "../../src/facts/text.ts";
import { read } from "./support.ts";

/** Names that could be taken for another one, or that nobody could type. */
const BAD_NAMES: readonly (readonly [what: string, name: string])[] = [
  ["a zero-width space", "ops\u200bteam"],
  ["a zero-width joiner", "ops\u200dteam"],
  ["a soft hyphen", "ops\u00adteam"],
  ["a direction override", "ops\u202eteam"],
  ["a variation selector", "ops\ufe0f"],
  ["a Hangul filler", "ops\u3164"],
  ["a Braille blank", "ops\u2800team"],
  ["a no-break space", "ops\u00a0team"],
  ["an ideographic space", "ops\u3000team"],
  ["two spaces", "ops  team"],
  ["a tab", "ops\tteam"],
  ["a line feed", "ops\nteam"],
  ["a space before it", " ops"],
  ["a space behind it", "ops "],
  ["a decomposed letter", "Zoe\u0308"],
  ["a struck-through digit", "team 1\u0336"],
  ["a mark on a digit", "team 1\u0301"],
  ["an overlay on a letter", "o\u0338ps"],
  ["an enclosing mark", "a\u20dd"],
  ["three marks on a letter", "q\u0301\u0302\u0303ops"],
  ["a mark at the beginning", "\u0301ops"],
  ["a lone surrogate", "ops\ud800"],
  ["U+0000", "ops\0"],
  ["private use", "ops\ue000"],
];

/** Names that people and systems have. */
const GOOD_NAMES = [
  "ops",
  "Mia Li",
  "Zo\u00eb",
  "東京",
  "Anna-Karin O’Neil",
  "नमस्ते",
  "auth0|5f7c",
  "ops:send_mail.v2",
  "ẹ\u0301",
];

const claims = readerFor({
  organization: "acme",
  subjectPrefix: "",
  reservedPrefixes: [],
  claims: { roles: "roles", groups: "groups", email: "email", name: "name", kind: "kind", region: "region" },
  emailVerified: "claim",
  clients: {},
});
const house = { sub: "u", org: "acme", kind: "HUMAN" };
const identityFile = (issuer: object) =>
  parseIdentityFile({ issuers: [{ issuer: "https://idp.example", organization: "acme", ...issuer }] });
const catalog = (platform: string, tool: string) =>
  parseCatalog({ platforms: { [platform]: { region: "eu" } }, tools: { [tool]: { platform, effect: "READ" } } });

/** Wherever a name comes in. */
const DOORS: Readonly<Record<string, (name: string) => unknown>> = {
  "catalog: a platform": (name) => catalog(name, "t"),
  "catalog: a tool": (name) => catalog("p", name),
  "proposal: platform": (platform) => checkProposal(read({ platform })),
  "proposal: tool": (tool) => checkProposal(read({ tool })),
  "proposal: conversationId": (conversationId) => checkProposal(read({ conversationId })),
  "proposal: targetRegion": (targetRegion) => checkProposal(read({ targetRegion })),
  "directory: a display name": (name) => checkName(name, "displayName"),
  "directory: the id of a principal": (name) => checkId(name, "agentId"),
  "directory: a platform": (name) => checkPlatforms([name], [name]),
  "directory: a role": (name) => checkRoles([`lead:${name}`]),
  "directory: the id of a token": (name) => tokenRecordId(undefined, name),
  "token: sub": (sub) => claims({ sub }),
  "token: groups": (name) => claims({ sub: "u", groups: [name] }),
  "token: roles": (name) => claims({ sub: "u", roles: [name] }),
  "token: email": (name) => claims({ sub: "u", email: name }),
  "token: client_id": (name) => claims({ sub: "u", client_id: name }),
  "token: act.sub": (sub) => claims({ sub: "u", act: { sub } }),
  "token: jti": (jti) => readToken({ jti, exp: 1 }),
  "our token: sub": (sub) => readHouseClaims({ ...house, sub }),
  "our token: groups": (name) => readHouseClaims({ ...house, groups: [name] }),
  "our token: roles": (name) => readHouseClaims({ ...house, roles: [name] }),
  "our token: method": (method) => readHouseClaims({ ...house, method }),
  "identity file: audience": (audience) => identityFile({ audience }),
  "identity file: subjectPrefix": (subjectPrefix) => identityFile({ subjectPrefix }),
  "identity file: the path of a claim": (name) => identityFile({ claims: { roles: name } }),
  "identity file: a role": (name) => identityFile({ roleMap: { staff: name } }),
  "identity file: a role of the provider": (name) => identityFile({ roleMap: { [name]: "member" } }),
  "identity file: a client": (name) => identityFile({ clients: { [name]: "AGENT" } }),
};

describe.each(Object.entries(DOORS))("%s", (door, enter) => {
  it.each(BAD_NAMES)("refuses %s, and says what to do", (_, name) => {
    const refusal = refusalOf(() => enter(name));
    expect(refusal).toMatchObject(
      door.includes("token: ")
        ? { reason: "BAD_CLAIMS" }
        : { code: expect.stringMatching(/^INVALID_INPUT$|^CONFIGURATION$/) },
    );
    // A role that begins with a space is none of ours for another reason.
    expect(refusal?.message).toMatch(/must |leave it out/);
  });

  it.each(GOOD_NAMES)("takes %s", (name) => {
    expect(() => enter(name)).not.toThrow();
  });
});

/** What providers call people, which is for reading only. */
const DISPLAY_NAMES: Readonly<Record<string, (name: string) => string | undefined>> = {
  "token: name": (name) => claims({ sub: "u", name }).principal.displayName,
  "our token: name": (name) => readHouseClaims({ ...house, name }).principal.displayName,
  "our token: act.name": (name) => readHouseClaims({ ...house, act: { sub: "a", name } }).principal.displayName,
};

describe.each(Object.entries(DISPLAY_NAMES))("%s", (_, enter) => {
  it.each(BAD_NAMES)("refuses %s, or takes it in normal form with single spaces", (__, name) => {
    let taken: string | undefined;
    const refusal = refusalOf(() => {
      taken = enter(name);
    });
    if (refusal !== undefined) expect(refusal).toMatchObject({ reason: "BAD_CLAIMS" });
    else {
      expect(nameProblem(taken ?? "", 200)).toBeUndefined();
      expect(taken).not.toBe(name);
    }
  });

  it("refuses what is more than a matter of spaces", () => {
    expect(refusalOf(() => enter("ops\u200bteam"))?.message).toContain(
      "U+200B as character 4, which cannot be seen: leave it out",
    );
    expect(refusalOf(() => enter("team 1\u0336"))?.message).toContain("leave it out");
    expect(enter("山田　太郎")).toBe("山田 太郎");
    expect(enter("Zoe\u0308  Li")).toBe("Zo\u00eb Li");
  });
});

function refusalOf(enter: () => unknown): Error | undefined {
  try {
    enter();
    return undefined;
  } catch (error) {
    return asError(error);
  }
}
