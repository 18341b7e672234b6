import { describe, expect, it } from "vitest";
import { assuranceOf, type SignInClaims } from "../../../src/domain/identity/assurance.ts";

const CASES: readonly (readonly [SignInClaims, string, string])[] = [
  [{}, "SESSION", "no claim says anything"],
  [{ amr: ["pwd"] }, "SESSION", "one factor"],
  [{ amr: ["otp"] }, "SESSION", "a code without anything else"],
  [{ amr: ["fpt"] }, "SESSION", "a fingerprint without anything else"],
  [{ amr: ["swk"] }, "SESSION", "a key that can be copied, without anything else"],
  [{ amr: ["pop"] }, "SESSION", "some key, without anything else"],
  [{ amr: ["pwd", "kba"] }, "SESSION", "two things of one kind"],
  [{ amr: ["pwd", "rba", "geo", "user", "mca"] }, "SESSION", "what is no factor"],
  [{ amr: ["mfa"] }, "MFA", "several factors, as the provider says"],
  [{ amr: ["pwd", "otp"] }, "MFA", "something known and something held"],
  [{ amr: ["swk", "fpt"] }, "MFA", "a key on a phone that a fingerprint opens"],
  [{ amr: ["pwd", "sms"] }, "MFA", "a text message is a factor, if a weak one"],
  [{ amr: ["hwk"] }, "SESSION", "a key in hardware, at which nobody may have been"],
  [{ amr: ["sc"] }, "SESSION", "a smart card in a reader"],
  [{ amr: ["hwk", "otp", "sms"] }, "SESSION", "several things of one kind, one of them a key in hardware"],
  [{ amr: ["hwk", "rba", "geo", "wia", "mca"] }, "SESSION", "a key in hardware, and what is no factor"],
  [{ amr: ["hwk", "user"] }, "KEY", "a key in hardware, at which somebody was"],
  [{ amr: ["hwk", "pin"] }, "KEY", "a key in hardware that a PIN opens"],
  [{ amr: ["hwk", "fpt"] }, "KEY", "a key in hardware that a fingerprint opens"],
  [{ amr: ["hwk", "face"] }, "KEY", "a key in hardware that a face opens"],
  [{ amr: ["hwk", "pwd"] }, "KEY", "a key in hardware beside a password"],
  [{ amr: ["swk", "user"] }, "SESSION", "a key that can be copied, at which somebody was"],
  [{ amr: ["pwd", "hwk", "mfa"] }, "KEY", "the strongest counts"],
  [{ amr: ["sc", "pin"] }, "KEY", "a smart card"],
  [{ acr: "phr" }, "MFA", "phishing resistant, with a key that may be anywhere"],
  [{ acr: "phrh" }, "KEY", "phishing resistant, in hardware"],
  [{ acr: "https://refeds.org/profile/mfa" }, "MFA", "REFEDS"],
  [{ acr: "phr", amr: ["hwk", "user"] }, "KEY", "the stronger of both claims"],
  [{ acr: "phr", amr: ["hwk"] }, "MFA", "neither of the two claims says more"],
  [{ acr: "2" }, "SESSION", "a class that means something at its provider alone"],
  [{ acr: "gold" }, "KEY", "a class that the identity file explains"],
  [{ acr: "urn:okta:loa:2fa:any" }, "SESSION", "a class that the identity file explains otherwise"],
  [{ acr: "constructor", amr: ["__proto__", "toString"] }, "SESSION", "names that every object has"],
  [{ acr: ["phrh"], amr: "hwk" }, "SESSION", "claims of another form"],
  [{ amr: [["hwk"], { hwk: true }, null, "HWK"] }, "SESSION", "values of another form"],
];

describe("how sure a provider was of a person", () => {
  it.each(CASES)("%j is %s: %s", (claims, expected) => {
    expect(assuranceOf(claims, { gold: "KEY", "urn:okta:loa:2fa:any": "SESSION" })).toBe(expected);
  });
});
