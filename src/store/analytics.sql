-- analytics.duckdb, beside the common tables. Money is in minor units, times are UTC.

-- Finished tasks with what they cost, one row for each task.settled.
CREATE TABLE settled (
    sequence UBIGINT NOT NULL,
    task_id UUID NOT NULL,
    number UBIGINT NOT NULL,
    title VARCHAR NOT NULL,
    jira_id VARCHAR,
    completed_by UUID NOT NULL,
    completed_at TIMESTAMP NOT NULL,
    completed_on DATE NOT NULL,
    completed_sequence UBIGINT NOT NULL,
    fee BIGINT NOT NULL,
    reward BIGINT NOT NULL,
    fees_charged BIGINT NOT NULL
);
