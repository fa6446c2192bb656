-- What the notifier knows: who is paid, and what became of the mail. Disposable; rebuilt from the
-- log at any time. Ids are 16-byte blobs, times microseconds since 1970 UTC, money minor units.

CREATE TABLE checkpoint (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    sequence INTEGER NOT NULL,
    hash TEXT NOT NULL,
    code_version INTEGER NOT NULL
) STRICT;

CREATE TABLE company (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    company_id BLOB NOT NULL,
    name TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    currency TEXT NOT NULL
) STRICT;

CREATE TABLE users (
    user_id BLOB PRIMARY KEY,
    login TEXT NOT NULL,
    full_name TEXT NOT NULL,
    email TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row for each payout and its mail.
CREATE TABLE payouts (
    sequence INTEGER PRIMARY KEY, -- of payout.made
    payout_id BLOB NOT NULL UNIQUE,
    user_id BLOB NOT NULL,
    amount INTEGER NOT NULL,
    business_date INTEGER NOT NULL, -- days since 1970-01-01
    opening INTEGER NOT NULL,
    earned INTEGER NOT NULL,
    made_at INTEGER NOT NULL,
    imported INTEGER NOT NULL, -- whether an imported row closed the date
    attempts INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'written', 'sent', 'failed')),
    next_try INTEGER, -- of a pending mail that has failed before
    cause BLOB NOT NULL, -- the event that the next attempt follows from
    last_error TEXT,
    sent_to TEXT -- the address of the last attempt that succeeded
) STRICT;

CREATE INDEX pending_mails ON payouts (sequence) WHERE state = 'pending';
CREATE INDEX failed_mails ON payouts (sequence) WHERE state = 'failed';
