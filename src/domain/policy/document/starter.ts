import { type Catalog, type Effect, factsOf, type Tool } from "../catalog.ts";
import { RULE_IDS } from "../reason.ts";
import type { PolicyCase, PolicyDocument } from "./schema.ts";

/**
 * The document an installation begins with: whoever may act may read what the catalog lists, and one of the approvers approves what it
 * lists as a WRITE. What it does not list no rule covers, and is forbidden.
 */
export function starterDocument(catalog: Catalog): PolicyDocument {
  const platforms = [...catalog.platforms.values()];
  const order = ({ platform, name }: Tool) => JSON.stringify([platform, name]);
  // However the catalog lists them, it is the same document.
  const tools = platforms
    .flatMap((platform) => [...platform.tools.values()])
    .sort((one, other) => (order(one) < order(other) ? -1 : 1));
  return {
    policy: 1,
    catalog: {
      platforms: Object.fromEntries(platforms.map((platform) => [platform.name, factsOf(platform)])),
      tools: tools.map(({ platform, name, effect, personalData }) => ({
        platform,
        name,
        effect,
        data: personalData ? ["personal"] : [],
        required: [],
      })),
    },
    rules: [
      {
        id: RULE_IDS.reads,
        when: 'tool.effect == "READ"',
        permit: true,
        reason: "The catalog lists the tool as a READ.",
      },
      {
        id: RULE_IDS.writes,
        when: 'tool.effect == "WRITE"',
        require: [{ group: "approvers", needed: 1 }],
        reason: "The catalog lists the tool as a WRITE, which one of the approvers must approve.",
      },
    ],
    cases: [
      ...exampleOf(tools, "READ", { outcome: "PERMIT", rules: [RULE_IDS.reads] }),
      ...exampleOf(tools, "WRITE", { outcome: "REQUIRE", rules: [RULE_IDS.writes] }),
    ],
  };
}

/** A case with the first tool of this effect; none where there is none. */
function exampleOf(tools: readonly Tool[], effect: Effect, expect: PolicyCase["expect"]): readonly PolicyCase[] {
  const found = tools.find((tool) => tool.effect === effect);
  if (found === undefined) return [];
  const { platform, name: tool } = found;
  return [{ name: `${tool} on ${platform} is a ${effect}`, given: { platform, tool }, expect }];
}
