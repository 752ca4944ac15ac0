DROP TABLE policy_activations;
DROP TABLE policy_approvals;
DROP TABLE policy_versions;
DROP FUNCTION policy_history_is_append_only();
