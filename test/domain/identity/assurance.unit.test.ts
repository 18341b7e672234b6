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
  [{ amr: ["hwk"] }, "KEY", "a key in hardware"],
  [{ amr: ["pwd", "hwk", "mfa"] }, "KEY", "the strongest counts"],
  [{ amr: ["sc", "pin"] }, "KEY", "a smart card"],
  [{ acr: "phr" }, "MFA", "phishing resistant"],
  [{ acr: "phrh" }, "KEY", "phishing resistant, in hardware"],
  [{ acr: "https://refeds.org/profile/mfa" }, "MFA", "REFEDS"],
  [{ acr: "phr", amr: ["hwk"] }, "KEY", "the stronger of both claims"],
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
