import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { act } from "../graphql/steps.ts";
import { serveApi } from "../http/served-api.ts";
import { configure } from "./steps.ts";

const { api } = serveApi();

it("a code by which an account is linked fits the field of a chat, however many groups a person is in", async () => {
  const slack = {
    mode: "SOCKET",
    teamId: "T0HOME",
    appId: "A0APP",
    channelId: "C0OPS",
    botToken: "xoxb-1",
    appToken: "xapp-1",
  };
  expect(await configure(api, { name: "ops", slack })).toMatchObject({ userErrors: [] });
  const groups = Array.from({ length: 90 }, () => randomUUID());
  const person = { sub: "ada", org: "acme", kind: "HUMAN", name: "Ada Lovelace", roles: ["approver"], groups };
  const token = await api.sign({ ...person, email: "ada@acme.example", email_verified: true });
  const { code } = await act<{ code: string }>(
    api,
    "startAccountLink",
    { channel: "ops" },
    { token },
    "code userErrors{code}",
  );
  expect(code.length).toBeGreaterThan(100);
  expect(code.length).toBeLessThanOrEqual(3_000);
});
