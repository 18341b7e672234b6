-- Reporting: views for BI tools, which see the organizations their login was given and never an erasable value.
--
-- The views belong to oc_reporting and read with its rights. Row-level security binds oc_reporting to the organizations
-- of the session's login (session_user: SET ROLE does not change it). oc_owner, who appends, is not bound: appending
-- pays nothing. For oc_app and oc_auditor the policy is the constant true, which the planner drops.
-- A role of yours with SELECT on oc_audit_log sees nothing until it is a member of one of these.

SET LOCAL ROLE oc_owner;

CREATE TABLE oc_bi_access (
  role_name    text NOT NULL,
  organization text NOT NULL,
  PRIMARY KEY (role_name, organization)
);
COMMENT ON TABLE oc_bi_access IS 'Which login of oc_bi sees which organization. Kept by the operator.';
-- oc_app and oc_auditor: for the report of guards, of which a row that nobody expects is one.
GRANT SELECT ON oc_bi_access TO oc_reporting, oc_app, oc_auditor;

ALTER TABLE oc_audit_log ENABLE ROW LEVEL SECURITY;
CREATE POLICY oc_read ON oc_audit_log FOR SELECT TO oc_app, oc_auditor USING (true);
CREATE POLICY oc_report ON oc_audit_log FOR SELECT TO oc_reporting
  USING (split_part(ledger, '/', 1) IN (SELECT organization FROM oc_bi_access WHERE role_name = session_user::text));

ALTER TABLE oc_state ENABLE ROW LEVEL SECURITY;
CREATE POLICY oc_read ON oc_state FOR SELECT TO oc_app, oc_auditor USING (true);
CREATE POLICY oc_report ON oc_state FOR SELECT TO oc_reporting
  USING (split_part(ledger, '/', 1) IN (SELECT organization FROM oc_bi_access WHERE role_name = session_user::text));

GRANT SELECT ON oc_audit_log, oc_state TO oc_reporting;

RESET ROLE;
GRANT CREATE ON SCHEMA public TO oc_reporting;
SET LOCAL ROLE oc_reporting;

-- Whatever an entry holds, no view fails because of it: what cannot be read as what a column says is null.

CREATE VIEW oc_report_entries AS
SELECT split_part(e.ledger, '/', 1) AS organization, split_part(e.ledger, '/', 2) AS region, e.seq, e.recorded_at, e.type,
       e.actor_id, e.session_id, e.action_id, e.platform, e.tool, e.effect, e.chain, e.source_chain,
       b.body #>> '{actor,kind}' AS actor_kind,
       e.on_behalf_of_id AS on_behalf_of,
       b.body #>> '{client,name}' AS client,
       b.body #>> '{client,model}' AS model,
       b.body #>> '{policy,outcome}' AS policy_outcome,
       b.body #>> '{decision,verdict}' AS decision,
       b.body #>> '{decision,channel}' AS channel,
       b.body #>> '{reason}' AS reason,
       CASE WHEN pg_input_is_valid(b.body ->> 'latencyMs', 'bigint') THEN (b.body ->> 'latencyMs')::bigint END AS latency_ms
  FROM public.oc_audit_log e
       -- Parsed once an entry, and only where a column of it is asked for. JSON text can hold what jsonb cannot.
       CROSS JOIN LATERAL (SELECT CASE WHEN pg_input_is_valid(e.entry, 'jsonb') THEN e.entry::jsonb -> 'body' END AS body
                           OFFSET 0) b;
COMMENT ON VIEW oc_report_entries IS 'One row an entry: who did what, when, where, and what came of it.';

CREATE VIEW oc_report_actions AS
-- Of oc_state itself: PostgreSQL checks the rights on what a security_invoker view (oc_action) reads for the login.
SELECT split_part(a.ledger, '/', 1) AS organization, split_part(a.ledger, '/', 2) AS region, a.id AS action_id, a.status,
       a.actor_id AS agent_id,
       CASE WHEN pg_input_is_valid(a.state ->> 'approvals', 'integer') THEN (a.state ->> 'approvals')::integer END AS approvals,
       p.platform, p.tool, p.effect, p.chain, p.source_chain, p.recorded_at AS proposed_at, u.recorded_at AS updated_at, a.expires_at, a.first_seq AS proposed_seq, a.updated_seq
  FROM public.oc_state a
  JOIN public.oc_audit_log p ON p.ledger = a.ledger AND p.seq = a.first_seq
  JOIN public.oc_audit_log u ON u.ledger = a.ledger AND u.seq = a.updated_seq
 WHERE a.kind = 'ACTION';
COMMENT ON VIEW oc_report_actions IS 'One row a governed action: where it stands, since when.';

CREATE VIEW oc_report_lineage AS
SELECT split_part(e.ledger, '/', 1) AS organization, split_part(e.ledger, '/', 2) AS region, e.seq, e.recorded_at,
       e.action_id, e.source_chain, s.platform AS source_platform, e.chain, e.platform, e.tool, e.effect
  FROM public.oc_audit_log e
  LEFT JOIN LATERAL (SELECT o.platform FROM public.oc_audit_log o
                      WHERE o.chain = e.source_chain AND o.ledger = e.ledger ORDER BY o.seq LIMIT 1) s ON true
 WHERE e.source_chain IS NOT NULL AND e.type = 'ACTION_PROPOSED';
COMMENT ON VIEW oc_report_lineage IS 'One row a step that drew on another chain: from which platform data came to which.';

CREATE VIEW oc_report_daily AS
SELECT split_part(e.ledger, '/', 1) AS organization, split_part(e.ledger, '/', 2) AS region,
       (e.recorded_at AT TIME ZONE 'UTC')::date AS day, e.type, e.platform, e.tool, e.effect, count(*) AS entries
  FROM public.oc_audit_log e
 GROUP BY 1, 2, 3, 4, 5, 6, 7;
COMMENT ON VIEW oc_report_daily IS 'Entries a day (UTC) by what they are about.';

GRANT SELECT ON oc_report_entries, oc_report_actions, oc_report_lineage, oc_report_daily TO oc_bi;

RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM oc_reporting;

SELECT oc_guard.record();
