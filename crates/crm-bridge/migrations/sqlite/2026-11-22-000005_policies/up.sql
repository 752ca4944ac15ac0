-- Field policies that somebody has proposed or loaded, as they were written.
CREATE TABLE policy_versions (
    hash TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    number BIGINT NOT NULL,
    body TEXT NOT NULL,
    kept_at BIGINT NOT NULL,
    kept_by TEXT NOT NULL
);
CREATE INDEX policy_versions_by_number ON policy_versions (number, kept_at);

-- Who has signed which policy's hash, with which key.
CREATE TABLE policy_approvals (
    hash TEXT NOT NULL REFERENCES policy_versions (hash),
    approver TEXT NOT NULL,
    key_id TEXT NOT NULL,
    signature TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (hash, approver)
);

-- Which policy was in force from when on. The last one is.
CREATE TABLE policy_activations (
    seq INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    hash TEXT NOT NULL REFERENCES policy_versions (hash),
    grounds TEXT NOT NULL CHECK (grounds IN ('file', 'one_person', 'approvals', 'narrowing')),
    activated_by TEXT NOT NULL,
    at BIGINT NOT NULL
);

-- History: what is written stays as it is.
CREATE TRIGGER policy_versions_are_not_changed BEFORE UPDATE ON policy_versions
BEGIN SELECT RAISE(ABORT, 'the history of policies is append-only'); END;
CREATE TRIGGER policy_versions_are_not_cut BEFORE DELETE ON policy_versions
BEGIN SELECT RAISE(ABORT, 'the history of policies is append-only'); END;
CREATE TRIGGER policy_approvals_are_not_changed BEFORE UPDATE ON policy_approvals
BEGIN SELECT RAISE(ABORT, 'the history of policies is append-only'); END;
CREATE TRIGGER policy_approvals_are_not_cut BEFORE DELETE ON policy_approvals
BEGIN SELECT RAISE(ABORT, 'the history of policies is append-only'); END;
CREATE TRIGGER policy_activations_are_not_changed BEFORE UPDATE ON policy_activations
BEGIN SELECT RAISE(ABORT, 'the history of policies is append-only'); END;
CREATE TRIGGER policy_activations_are_not_cut BEFORE DELETE ON policy_activations
BEGIN SELECT RAISE(ABORT, 'the history of policies is append-only'); END;
