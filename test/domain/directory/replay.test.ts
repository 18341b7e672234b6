import { describe, expect, it } from "vitest";
import { unguarded } from "../../campaign/tamper/sql.ts";
import { createOrganization, openDirectory, reasonOf, seeing, signedIn } from "./world.ts";

/** Somebody who can write to the database takes entries of a directory away, or changes them. */
const { one, world } = openDirectory();

const because = { reason: "left" };
const corrupt = { code: "LEDGER_CORRUPT" };

const change = (sql: string) => unguarded(world.superuserUrl, sql);

/** An organization in which mia was suspended, as the last thing that was recorded. */
async function suspended() {
  const organization = createOrganization();
  const { person, root } = organization;
  await seeing(one, person("mia"));
  await one.directory.suspendPrincipal(root, { principalId: "mia", ...because });
  const mia = signedIn(person("mia"));
  expect(await reasonOf(one.directory.admit(mia))).toBe("SUSPENDED");
  return { ...organization, mia };
}

const suspension = (ledger: string) => `ledger = '${ledger}' AND type = 'PRINCIPAL_SUSPENDED'`;

describe("a server that starts", () => {
  it.each([
    [
      "the last entry about a principal was removed",
      (ledger: string) => `DELETE FROM oc_audit_log WHERE ${suspension(ledger)}`,
    ],
    [
      "it has the type of another",
      (ledger: string) => `UPDATE oc_audit_log SET type = 'AUDIT_READ' WHERE ${suspension(ledger)}`,
    ],
  ])("does not forget a suspension when %s", async (_, sql) => {
    const { ledger, mia, person } = await suspended();
    await change(sql(ledger));
    const { directory } = await world.server();
    await expect(directory.admit(mia)).rejects.toMatchObject(corrupt);
    await expect(directory.admit(signedIn(person("leo")))).rejects.toMatchObject(corrupt);
  });
});

describe("a server that runs", () => {
  it("notices that the ledger ends earlier than it was read, and keeps what it knows", async () => {
    const { ledger, mia, root } = await suspended();
    expect(await one.directory.administers(root)).toBe(true);
    await change(`UPDATE oc_ledger_head SET seq = seq - 1 WHERE ledger = '${ledger}'`);
    await expect(one.directory.administers(root)).rejects.toMatchObject(corrupt);
    // Read anew from the beginning.
    expect(await one.directory.administers(root)).toBe(true);
    expect(await reasonOf(one.directory.admit(mia))).toBe("SUSPENDED");
  });

  it("tells what it read before an entry that no server signed", async () => {
    const { ledger, person, root } = createOrganization();
    const server = await world.server();
    const heard: string[] = [];
    const mia = await server.directory.admit(signedIn(person("mia")));
    server.directory.watch(mia, ({ reason }) => void heard.push(reason));
    await one.directory.suspendPrincipal(root, { principalId: "mia", ...because });
    await one.directory.suspendPrincipal(root, { principalId: "leo", ...because });
    const unsigned = `regexp_replace(entry, '"signature":"[^"]*"', '"signature":"none"')`;
    await change(`UPDATE oc_audit_log SET entry = ${unsigned}, hash = sha256(convert_to(${unsigned}, 'UTF8'))
                   WHERE ${suspension(ledger)} AND seq = (SELECT max(seq) FROM oc_audit_log WHERE ${suspension(ledger)})`);
    for (let look = 0; look < 2; look += 1) {
      await expect(server.directory.administers(root)).rejects.toMatchObject(corrupt);
      expect(heard).toEqual(["SUSPENDED"]);
    }
  });

  it("reads other directories beside one that is damaged", async () => {
    const [damaged, sound] = [createOrganization(), createOrganization()];
    const server = await world.server({ pollSeconds: 0.05, staleSeconds: 600 });
    const heard: string[] = [];
    for (const { person } of [damaged, sound]) {
      const mia = await server.directory.admit(signedIn(person("mia")));
      server.directory.watch(mia, ({ principal }) => void heard.push(principal?.organization ?? ""));
    }
    await one.directory.suspendPrincipal(damaged.root, { principalId: "leo", ...because });
    await change(`UPDATE oc_audit_log SET hash = sha256(hash) WHERE ${suspension(damaged.ledger)}`);
    await one.directory.suspendPrincipal(sound.root, { principalId: "mia", ...because });
    await expect.poll(() => heard).toEqual([sound.name]);
  });
});
