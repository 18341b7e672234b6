import { describe, expect, it } from "vitest";
import { formsOf } from "../../../src/domain/lineage/values/forms.ts";
import { leavesOf } from "../../../src/domain/lineage/values/leaves.ts";
import type { JsonValue } from "../../../src/facts/canonical.ts";

const found = (value: JsonValue) => Object.fromEntries([...leavesOf(value)].map(({ path, value: one }) => [path, one]));
const values = (value: JsonValue) => [...leavesOf(value)].map((leaf) => leaf.value);
const forms = (value: string | number) => formsOf(value).map(({ text }) => text);
const share = (...all: readonly (string | number)[]) => {
  const [first = [], ...others] = all.map(forms);
  return first.some((form) => others.every((one) => one.includes(form)));
};

describe("the values of a result", () => {
  it("are those of JSON at any depth, with their paths, and of each record together", () => {
    expect(found({ a: [{ "b/c": "x" }, 1, true, null], "": "y" })).toEqual({
      "/a/0/b~1c#name": "b/c",
      "/a/0/b~1c": "x",
      "/a/1": 1,
      "/": "y",
    });
    const [first, second, third] = [...leavesOf([{ a: "x", b: "y" }, { a: "z" }])];
    expect(first?.record).toBe(second?.record);
    expect(third?.record).not.toBe(first?.record);
    let deep: JsonValue = "x";
    for (let level = 0; level < 50_000; level += 1) deep = [deep];
    expect(values(deep)).toEqual(["x"]);
  });

  it("are those of text that looks like JSON, YAML, lines of names, CSV, a Markdown table or HTML", () => {
    const text = (value: string) => found({ t: value });
    expect(text('{"a": {"b": "Mia Li"}}')).toEqual({ "/t#json/a/b": "Mia Li" });
    expect(text('{"a":"one"}\n{"a":"two"}')).toEqual({ "/t#json/0/a": "one", "/t#json/1/a": "two" });
    expect(text("name: Mia Li\nphones:\n  - '0301234567'\n  - 555")).toEqual({
      "/t#yaml/name": "Mia Li",
      "/t#yaml/phones/0": "0301234567",
      "/t#yaml/phones/1": "555",
    });
    expect(text("Name: Mia Li\nMail: *unknown\nCity = Rome")).toEqual({
      "/t#lines/0/Name": "Mia Li",
      "/t#lines/1/Mail": "*unknown",
      "/t#lines/2/City": "Rome",
    });
    expect(text('name;city\n"Li; Mia";Rome\n"Ng";"a\nb"')).toMatchObject({
      "/t#csv/1/0": "Li; Mia",
      "/t#csv/1/1": "Rome",
      "/t#csv/2/1": "a\nb",
    });
    expect(values("Two rows:\n\n| name | city |\n|---|:-:|\n| Mia Li | Rome |\n\nThat is all.")).toEqual([
      "Two rows:",
      "name",
      "city",
      "Mia Li",
      "Rome",
      "That is all.",
    ]);
    const html = '<p>Hi <b>Mia</b> Li</p><a href="mailto:mia@x.example">mail</a>';
    expect(values(html)).toEqual(["Hi Mia Li", "mia@x.example", "mail"]);
    const table = [...leavesOf("<table><tr><td>Mia<td>Li</tr><tr><td>Bo</td></tr></table>")];
    expect(table.map(({ value }) => value)).toEqual(["Mia", "Li", "Bo"]);
    expect(table[0]?.record).toBe(table[1]?.record);
    expect(table[0]?.record).not.toBe(table[2]?.record);
  });

  it("are wherever somebody could put one: names, comments, attributes, and what is not shown", () => {
    const name = "Amelia Ahmed";
    expect(values({ "amelia@example.com": 1, "ORD-12345": { first_name: "x", address2: "y" } })).toEqual([
      "amelia@example.com",
      1,
      "ORD-12345",
      "x",
      "y",
    ]);
    const texts: readonly (readonly [string, string])[] = [
      ["a name in lines", `${name}: 3 bags\nBo Ng: 2 bags`],
      ["a name in lines that are no YAML", `${name}: *3 bags\nBo Ng: 2 bags`],
      ["a comment in YAML", `id: 1 # ${name}\nstatus: open`],
      ["a comment line in YAML", `id: 1\n# ${name}\nstatus: open`],
      ["a name that occurs twice in YAML", `owner: ${name}\nid: 2\nowner: nobody`],
      ["an anchor in YAML", `a: &Amelia-Ahmed x\nb: y`],
      ["a tag in YAML", `a: !Amelia-Ahmed x\nb: y`],
      ["a name that occurs twice in JSON", `{"owner":"${name}","id":2,"owner":"nobody"}`],
      ["the head of CSV", `id;${name}\n1;2\n3;4`],
      ["a comment in HTML", `<p>x</p><!-- ${name} -->`],
      ["a script", `<p>x</p><script>var owner = "${name}"</script>`],
      ["JSON in a script", `<p>x</p><script type="application/json">{"owner":"${name}"}</script>`],
      ["a style", `<p>x</p><style>p::after { content: "${name}" }</style>`],
      ["a template", `<p>x</p><template><p>${name}</p></template>`],
      ["a noscript", `<p>x</p><noscript>${name}</noscript>`],
      ["a textarea", `<p>x</p><textarea>${name}</textarea>`],
      ["CDATA", `<p>x</p><svg><![CDATA[${name}]]></svg>`],
      ["a processing instruction", `<p>x</p><?php ${name} ?>`],
      ["a declaration", `<!ENTITY ${name}><p>x</p>`],
      ...["href", "alt", "title", "value", "content", "data-owner", "aria-label", "placeholder", "class", "srcdoc"].map(
        (attribute) => [attribute, `<p>x</p><img ${attribute}="${name}">`] as const,
      ),
      ["an entity in an attribute", `<p>x</p><img alt="Amelia&#32;Ahmed">`],
      ["the name of an attribute", `<p>x</p><img data-amelia_ahmed_1234="">`],
    ];
    for (const [where, text] of texts) {
      expect(values({ text }).join("\n").toLowerCase(), where).toMatch(/amelia[ _-]ahmed/);
    }
  });

  it("are the text itself where it looks like nothing else, or only begins to", () => {
    for (const text of ["a note, and more", "{ not json }", "[x]\n[y", "1 < 2 and 3 > 2", "a | b", "x".repeat(9)]) {
      expect(values(text).join("\n"), text).toBe(text);
    }
    // Aliases of YAML that would be billions of values.
    const bomb = ["a: &a [x, x]", ...Array.from({ length: 30 }, (_, at) => `b${at}: &a [*a, *a, *a]`)].join("\n");
    expect(values(bomb)).toHaveLength(31);
  });
});

describe("the form of a value", () => {
  it("is the same in any letters, white space and Unicode form, and not for other words", () => {
    expect(share("Zoë  GARCÍA", "zoe garcia", "ＺＯＥ\u00a0Garcia", "Zoe\u0308 Garci\u0301a", "zoe, garcia!")).toBe(
      true,
    );
    expect(share("Straße 7", "STRASSE 7")).toBe(true);
    expect(share("Zoe Garcia", "Zoe Garci")).toBe(false);
    // Vowel signs are part of the word.
    expect(share("की", "का")).toBe(false);
  });

  it("is the same for a number with and without marks, currency and sign, and both where marks can be read in two ways", () => {
    const same = [1234.5, "1234.50", "$1,234.50", "1.234,50 €", "EUR 1234.5", "1 234,5", "1'234.50", "USD 1,234.50"];
    for (const other of same) expect(share(1234.5, other), String(other)).toBe(true);
    expect(share(-1234.5, "(1,234.50)", "−1.234,5")).toBe(true);
    expect(forms("1,234")).toEqual(["number:1234", "number:1.234"]);
    expect(forms("12.5.7")).not.toContain("number:12.57");
    // The first three letters of an identifier are no currency.
    expect(forms("HAT069")).toEqual(["text:hat069"]);
    expect(forms(1e300)).toEqual([]);
  });

  it("is the same for a date however it is written, and both where day and month can be read in two ways", () => {
    const same = [
      "2024-05-20",
      "20.05.2024",
      "5/20/2024",
      "May 20, 2024",
      "20 May 2024",
      "20-May-24",
      "May 20th, 2024",
    ];
    for (const other of [
      ...same,
      "20240520",
      "Monday, 20 May 2024",
      "20. Mai 2024",
      "20 de mayo de 2024",
      "20 mai 2024",
    ]) {
      expect(forms(other), other).toContain("date:2024-05-20");
    }
    expect(forms("01/02/2024")).toEqual(["date:2024-02-01", "date:2024-01-02"]);
    const moments = ["2024-05-20T14:30:59Z", "2024-05-20T16:30:00+02:00", "May 20, 2024, 2:30 PM", "20.05.2024 14:30"];
    for (const one of moments) expect(forms(one), one).toContain("date:2024-05-20T14:30");
    for (const none of ["2024-02-30", "31.04.2024", "13/13/2024", "1234-05-06"]) {
      expect(
        forms(none).some((form) => form.startsWith("date:")),
        none,
      ).toBe(false);
    }
  });

  it("is the same for a telephone number with and without the code of its country", () => {
    for (const one of ["+1 (555) 010-9988", "555-010-9988", "5550109988", "1.555.010.9988", "tel:+15550109988"]) {
      expect(forms(one), one).toContain("phone:5550109988");
    }
    expect(share("+49 30 901820", "030/901820", "0049 30 90 18 20")).toBe(true);
    expect(forms("2024-05-20")).toEqual(["date:2024-05-20"]);
  });

  it("is the same for an e-mail address in any letters, with a name or without", () => {
    expect(share("Mia.Li@Example.com", "mailto:mia.li@example.com", "Mia Li <mia.li@example.COM>")).toBe(true);
  });

  it("weighs little for what is found anywhere", () => {
    const weight = (value: string | number) => Math.max(0, ...formsOf(value).map((form) => form.weight));
    for (const common of ["yes", "NYC", "gold", 0, 7, 250, 2000, "true", "USD"])
      expect(weight(common), `${common}`).toBeLessThan(2);
    for (const rare of [
      "mia.li@example.com",
      "975 Sunset Drive",
      "credit_card_4421486",
      "550e8400-e29b-41d4-a716-446655440000",
      12345678,
    ]) {
      expect(weight(rare), `${rare}`).toBeGreaterThan(8);
    }
  });
});
