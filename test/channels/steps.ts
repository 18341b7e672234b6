import type { Api } from "../http/harness.ts";

export interface NoticeShown {
  readonly channel: string;
  readonly name: string;
  readonly to: string;
  readonly status: string;
  readonly sentAt: string | null;
  readonly firstOpenedAt: string | null;
}

interface Configured {
  readonly channel: { readonly name: string } | null;
  readonly userErrors: readonly { readonly code: string; readonly message: string; readonly path: readonly string[] }[];
}

/** Configures a channel, as an administrator unless told otherwise. */
export async function configure(
  api: Api,
  input: object,
  as: { readonly as: "admin" | "approver" | "agent" } = { as: "admin" },
): Promise<Configured> {
  const { data, errors } = await api.gql<{ configureChannel: Configured }>(
    "mutation($input:ConfigureChannelInput!){configureChannel(input:$input){channel{name} userErrors{code message path}}}",
    { input },
    as,
  );
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data.configureChannel;
}

/** What an auditor sees of who was told of an action. */
export async function noticesOf(api: Api, id: string): Promise<readonly NoticeShown[]> {
  const { data, errors } = await api.gql<{ action: { notices: readonly NoticeShown[] } }>(
    "query($id:ID!){action(id:$id){notices{channel name to status sentAt firstOpenedAt}}}",
    { id },
    { as: "auditor" },
  );
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data.action.notices;
}

/** What waits for a channel, as an auditor sees it. */
export async function queueOf(
  api: Api,
  name: string,
): Promise<{ readonly failures: number; readonly problem: string | null } | undefined> {
  const { data } = await api.gql<{
    channels: readonly { name: string; queue: { failures: number; problem: string | null } }[];
  }>("{channels{name queue{failures problem}}}", {}, { as: "auditor" });
  return data.channels.find((one) => one.name === name)?.queue;
}
