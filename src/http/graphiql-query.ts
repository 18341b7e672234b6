export interface OpeningTab {
  readonly query: string;
  /** JSON. */
  readonly variables?: string;
}

/**
 * What GraphiQL opens with, a tab an operation: what everybody who is signed in may run. A test runs them. Comments keep to
 * 50 characters a line, which a window of 1280 pixels shows.
 */
export const OPENING_TABS: readonly OpeningTab[] = [
  {
    query: `# What waits for people, and who you are.
# Ctrl-Enter runs it. The tabs Approve and Follow
# are for what you find here. The icon at the top
# left opens the description of the schema.
#
# You are the person signed in with this browser,
# or whose token was given as the password. To be
# somebody else, sign out at / in the first case,
# and use a private window in the second.

query Waiting {
  viewer {
    id
    roles
    groups
  }
  pendingApprovals(first: 10) {
    nodes {
      id
      digest
      rendered
      viewerCanDecide
      viewerBlockedBecause
    }
  }
}
`,
  },
  {
    query: `# Approves an action. Copy its id and its digest
# from the answer of Waiting into the variables
# below. The digest stands for what you have read:
# any other is refused.

mutation Approve($id: ID!, $digest: Hash!) {
  approveAction(
    input: { actionId: $id, digest: $digest }
  ) {
    action {
      status
    }
    userErrors {
      code
      message
    }
  }
}
`,
    variables: `{
  "id": "",
  "digest": ""
}
`,
  },
  {
    query: `# Shows each change from now on. While nothing
# changes, a HEARTBEAT comes every 15 seconds.

subscription Follow {
  pendingApprovals {
    cursor
    change
    action {
      id
      tool
      status
      rendered
    }
  }
}
`,
  },
];
