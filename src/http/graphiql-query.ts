/** What GraphiQL opens with: operations that everybody who is signed in may run. A test validates them. */
export const OPENING_QUERY = `# Countersign: what waits for people, and what you may approve.
#
# You are signed in as the person of this browser session, or of the token given as the password. To be somebody
# else, use a private window. \`npx countersign token --as approver\` prints a token where no identity provider is set.
#
# Run an operation with Ctrl-Enter. The book icon at the left describes every type and field.

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

# Approving repeats the digest: put in an id and its digest from above.
mutation Approve {
  approveAction(
    input: {
      actionId: "00000000-0000-0000-0000-000000000000"
      digest: "sha256:0000000000000000000000000000000000000000000000000000000000000000"
    }
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
