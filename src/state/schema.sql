-- The state index: what commands decide from. Disposable; rebuilt from the log at any time.
-- Ids are 16-byte blobs, times microseconds since 1970 UTC.

CREATE TABLE checkpoint (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    sequence INTEGER NOT NULL,
    hash TEXT NOT NULL,
    code_version INTEGER NOT NULL
) STRICT;

CREATE TABLE company (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    founded_at INTEGER NOT NULL,
    data TEXT NOT NULL -- company.founded as it stands in the log
) STRICT;

CREATE TABLE users (
    ordinal INTEGER PRIMARY KEY, -- in order of registration
    user_id BLOB NOT NULL UNIQUE,
    login TEXT NOT NULL UNIQUE,
    full_name TEXT NOT NULL,
    email TEXT NOT NULL,
    role TEXT NOT NULL,
    active INTEGER NOT NULL
) STRICT;

CREATE TABLE tasks (
    number INTEGER PRIMARY KEY,
    task_id BLOB NOT NULL UNIQUE,
    title TEXT NOT NULL,
    jira_id TEXT,
    description TEXT,
    created_by BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    created_sequence INTEGER NOT NULL,
    assignee BLOB NOT NULL,
    assigned_at INTEGER NOT NULL,
    assignment_no INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('open', 'completed', 'cancelled')),
    completed_at INTEGER,
    completed_sequence INTEGER,
    cancelled_at INTEGER,
    cancelled_sequence INTEGER,
    cancelled_by TEXT, -- the login, or the actor where that is no user
    cancel_reason TEXT
) STRICT;

CREATE INDEX tasks_by_jira_id ON tasks (jira_id) WHERE jira_id IS NOT NULL;
CREATE INDEX open_tasks ON tasks (number) WHERE status = 'open';

-- Every change of a task's texts, for its history: what stood there before, NULL where nothing changed, empty where
-- nothing stood.
CREATE TABLE task_changes (
    number INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    changed_by TEXT NOT NULL, -- the login, or the actor where that is no user
    title TEXT,
    jira_id TEXT,
    description TEXT,
    PRIMARY KEY (number, sequence)
) STRICT, WITHOUT ROWID;

-- Every hand-over, for the history of a task.
CREATE TABLE assignments (
    number INTEGER NOT NULL,
    assignment_no INTEGER NOT NULL,
    assignee BLOB NOT NULL,
    assigned_at INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (number, assignment_no)
) STRICT, WITHOUT ROWID;

-- Idempotency keys that were given or imported, one row for each batch.
CREATE TABLE commands (
    command_id TEXT PRIMARY KEY,
    command_hash TEXT NOT NULL,
    first_sequence INTEGER NOT NULL,
    events INTEGER NOT NULL,
    task_number INTEGER -- of the task that the batch created
) STRICT, WITHOUT ROWID;

-- What operators decided about events that a consumer cannot apply.
CREATE TABLE resolutions (
    sequence INTEGER PRIMARY KEY, -- of the decision
    consumer TEXT NOT NULL,
    target_sequence INTEGER NOT NULL,
    standing TEXT NOT NULL CHECK (standing IN ('set_aside', 'retried', 'skipped')),
    reason TEXT NOT NULL,
    decided_by TEXT NOT NULL,
    decided_at INTEGER NOT NULL
) STRICT;
