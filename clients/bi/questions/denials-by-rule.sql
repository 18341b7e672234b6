-- Which rules of the policy lead to denials?
-- One row a rule that asked for approval: how many actions it matched first, and what people made of them.
SELECT coalesce(policy_rule, '(no rule)') AS policy_rule, count(*) AS actions,
       count(*) FILTER (WHERE status = 'DENIED') AS denied,
       count(*) FILTER (WHERE status = 'EXPIRED') AS expired,
       count(*) FILTER (WHERE status IN ('APPROVED', 'EXECUTING', 'SUCCEEDED', 'FAILED', 'AMBIGUOUS')) AS approved,
       count(*) FILTER (WHERE status = 'PENDING') AS waiting
  FROM oc_bi.fact_action
 WHERE policy_outcome = 'REQUIRE'
 GROUP BY 1
 ORDER BY denied DESC, policy_rule;
