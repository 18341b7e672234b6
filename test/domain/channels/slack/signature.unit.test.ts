import { describe, expect, it } from "vitest";
import { signatureProblem } from "../../../../src/domain/channels/slack/signature.ts";
import { signatureOf } from "../../../support/slack/interactions.ts";

const SECRET = "8f742231b10e8888abcd99yyyzzz85a5";
const NOW = 1_700_000_000;

function problem(headers: Readonly<Record<string, string>>, body = "payload=1", now = NOW) {
  return signatureProblem({ headers, body: Buffer.from(body) }, SECRET, now * 1_000);
}

describe("a signature of Slack", () => {
  it("is the one of its documentation", () => {
    const body =
      "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const headers = {
      "x-slack-request-timestamp": "1531420618",
      "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    };
    expect(problem(headers, body, 1_531_420_618)).toBeUndefined();
  });

  it("is accepted up to 300 s old or ahead, and no more on either side", () => {
    for (const seconds of [-300, 0, 300])
      expect(problem(signatureOf("payload=1", SECRET, NOW + seconds))).toBeUndefined();
    expect(problem(signatureOf("payload=1", SECRET, NOW - 301))).toBe("it is more than 300 s old");
    expect(problem(signatureOf("payload=1", SECRET, NOW + 301))).toBe("it is from more than 300 s ahead");
  });

  it("is of the whole body, the time and the secret", () => {
    const headers = signatureOf("payload=1", SECRET, NOW);
    expect(problem(headers, "payload=2")).toContain("another secret or body");
    expect(problem({ ...headers, "x-slack-request-timestamp": String(NOW + 1) })).toContain("another secret or body");
    expect(problem(signatureOf("payload=1", `${SECRET}0`, NOW))).toContain("another secret or body");
  });

  it("is refused in every other form", () => {
    const headers = signatureOf("payload=1", SECRET, NOW);
    const signature = headers["x-slack-signature"] ?? "";
    for (const other of [
      "",
      signature.slice(3),
      signature.replace("v0", "v1"),
      signature.toUpperCase(),
      `${signature}0`,
    ]) {
      expect(problem({ ...headers, "x-slack-signature": other }), other).toBe("it has no signature of version v0");
    }
    for (const time of ["", "NaN", "1e9", ` ${NOW}`, `${NOW}.0`, `+${NOW}`, "0x6553f100", `0${NOW}`, `${NOW}\n`]) {
      const given = signatureOf("payload=1", SECRET, time);
      expect(problem(given), time).toBe("its time is no whole number of seconds");
    }
    expect(problem({})).toBeDefined();
  });
});
