import type { ServerResponse } from "node:http";
import { escapeHtml, sendPage } from "./pages.ts";

/** The path that notices lead to, of one action. */
const PATH = /^\/actions\/(?:([a-z0-9][a-z0-9-]{0,62})\/)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/** The action that a notice is about. */
export interface NoticedAction {
  readonly uuid: string;
  /** Where it is recorded; undefined: in the home region. */
  readonly region: string | undefined;
}

/** The action that a path of notices is about; undefined: it is none. */
export function noticedAction(path: string): NoticedAction | undefined {
  const [found, region, uuid] = PATH.exec(path) ?? [];
  return found === undefined || uuid === undefined ? undefined : { region, uuid };
}

/**
 * Where the link of a notice leads. The page says nothing of the action, and opening it changes nothing: programs that look through mail open
 * every link. Whoever follows it further signs in, and decides by a mutation of the API.
 */
export function sendNoticePage(response: ServerResponse, { uuid, region }: NoticedAction, canSignIn: boolean): void {
  const query = `query Action {
  action(${region === undefined ? "" : `region: "${region}", `}id: "${uuid}") {
    id
    digest
    status
    platform
    tool
    rendered
    expiresAt
    viewerCanDecide
    viewerBlockedBecause
    notices {
      name
      sentAt
    }
  }
}
`;
  const graphiql = `/graphql?query=${encodeURIComponent(query)}`;
  const signIn = `<p><a href="/auth/login?returnTo=${encodeURIComponent(graphiql)}">Sign in and look at it</a></p>`;
  const open = `<p><a href="${escapeHtml(graphiql)}">Look at it in GraphiQL</a></p>`;
  const how =
    "<p>Nothing was decided by opening this page. Decide with <code>approveAction</code> or <code>denyAction</code>.</p>";
  sendPage(response, 200, `Action ${uuid}`, `${canSignIn ? signIn : open}${how}`);
}
