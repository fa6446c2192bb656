-- accounting.duckdb, beside the common tables. Money is in minor units, times are UTC.

CREATE TABLE tasks (
    sequence UBIGINT NOT NULL,
    task_id UUID NOT NULL,
    number UBIGINT NOT NULL,
    title VARCHAR NOT NULL,
    jira_id VARCHAR,
    description VARCHAR,
    created_by UUID NOT NULL,
    created_at TIMESTAMP NOT NULL
);

CREATE TABLE prices (
    sequence UBIGINT NOT NULL,
    task_id UUID NOT NULL,
    fee BIGINT NOT NULL,
    reward BIGINT NOT NULL
);

CREATE TABLE assignments (
    sequence UBIGINT NOT NULL,
    task_id UUID NOT NULL,
    assignee_id UUID NOT NULL,
    assignment_no UINTEGER NOT NULL,
    assigned_at TIMESTAMP NOT NULL
);

CREATE TABLE completions (
    sequence UBIGINT NOT NULL,
    task_id UUID NOT NULL,
    completed_by UUID NOT NULL,
    completed_at TIMESTAMP NOT NULL
);

-- One row for each balance.changed, in the order of the log and never updated. amount and balance
-- are signed from the popug's side; balance is the running one in posting order. digest is that of
-- all entries up to this one.
CREATE TABLE entries (
    sequence UBIGINT NOT NULL,
    entry_id UUID NOT NULL,
    user_id UUID NOT NULL,
    kind VARCHAR NOT NULL,
    amount BIGINT NOT NULL,
    balance BIGINT NOT NULL,
    business_date DATE NOT NULL,
    late BOOLEAN NOT NULL,
    occurred_at TIMESTAMP NOT NULL,
    posted_at TIMESTAMP NOT NULL,
    cause_sequence UBIGINT,
    task_id UUID,
    assignment_no UINTEGER,
    payout_id UUID,
    corrects UUID,
    reason VARCHAR,
    digest UBIGINT NOT NULL
);

-- What became of each payout's mail, one row for each mail.sent and mail.failed.
CREATE TABLE mails (
    sequence UBIGINT NOT NULL,
    payout_id UUID NOT NULL,
    sent BOOLEAN NOT NULL,
    mail_to VARCHAR,
    attempt UINTEGER NOT NULL
);
