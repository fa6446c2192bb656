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

-- What each task.changed made of a task's texts, one row for each event, never updated: NULL where nothing changed, empty
-- where the text was taken away.
CREATE TABLE task_changes (
    sequence UBIGINT NOT NULL,
    task_id UUID NOT NULL,
    title VARCHAR,
    jira_id VARCHAR,
    description VARCHAR
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

CREATE TABLE cancellations (
    sequence UBIGINT NOT NULL,
    task_id UUID NOT NULL,
    keep_fees BOOLEAN NOT NULL,
    cancelled_at TIMESTAMP NOT NULL
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
    state VARCHAR NOT NULL, -- after the attempt: written, sent, failed
    mail_to VARCHAR,
    attempt UINTEGER NOT NULL
);

-- The texts of entries whose task had been changed before their cause, or before themselves if they have none: NULL where
-- nothing had changed, empty where the text had been taken away. All other entries show what tasks holds.
CREATE VIEW changed_texts AS
    SELECT e.sequence, arg_max(c.title, c.sequence) AS title, arg_max(c.jira_id, c.sequence) AS jira_id,
        arg_max(c.description, c.sequence) AS description
    FROM task_changes c JOIN entries e ON e.task_id = c.task_id AND c.sequence <= coalesce(e.cause_sequence, e.sequence)
    GROUP BY e.sequence;
