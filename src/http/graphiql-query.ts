/** What GraphiQL opens with: operations that everybody who is signed in may run. A test validates them. */
export const OPENING_QUERY = `# Countersign: actions that wait for approval.
#
# Run with Ctrl-Enter, or choose an operation at the run button:
# Waiting lists actions, Approve approves one, Follow shows changes.
# The book icon at the left describes every type and field.
#
# You are signed in as the person of this browser session, or of the
# token given as the password. To be somebody else, use a private
# window. Without an identity provider, get a token with
# \`npx countersign token --as approver\`.

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

# Before running it, put an id and its digest from Waiting into the
# Variables below: { "id": "…", "digest": "sha256:…" }
mutation Approve($id: ID!, $digest: Hash!) {
  approveAction(input: { actionId: $id, digest: $digest }) {
    action {
      status
    }
    userErrors {
      code
      message
    }
  }
}

# Shows nothing until an action is proposed or decided.
subscription Follow {
  pendingApprovals {
    cursor
    change
    action {
      id
      rendered
    }
  }
}
`;
