-- What the notifier knows: who is paid, and what became of the mail. Disposable; rebuilt from the
-- log at any time. Ids are 16-byte blobs, times microseconds since 1970 UTC, money minor units.

CREATE TABLE checkpoint (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    sequence INTEGER NOT NULL,
    hash TEXT NOT NULL,
    code_version INTEGER NOT NULL,
    checksum INTEGER AS (checksum(one, sequence, hash, code_version)) STORED,
    sound INTEGER AS (is_sound(checksum, one, sequence, hash, code_version))
) STRICT;

CREATE TABLE company (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    company_id BLOB NOT NULL,
    name TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    currency TEXT NOT NULL,
    checksum INTEGER AS (checksum(one, company_id, name, time_zone, currency)) STORED,
    sound INTEGER AS (is_sound(checksum, one, company_id, name, time_zone, currency))
) STRICT;

CREATE TABLE users (
    user_id BLOB PRIMARY KEY,
    login TEXT NOT NULL,
    full_name TEXT NOT NULL,
    email TEXT NOT NULL,
    checksum INTEGER AS (checksum(user_id, login, full_name, email)) STORED,
    sound INTEGER AS (is_sound(checksum, user_id, login, full_name, email))
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
    state TEXT NOT NULL CHECK (state IN ('pending', 'sent', 'failed')),
    next_try INTEGER, -- of a pending mail that has failed before
    cause BLOB NOT NULL, -- the event that the next attempt follows from
    last_error TEXT,
    sent_to TEXT,
    checksum INTEGER AS (checksum(sequence, payout_id, user_id, amount, business_date, opening, earned, made_at,
        imported, attempts, state, next_try, cause, last_error, sent_to)) STORED,
    sound INTEGER AS (is_sound(checksum, sequence, payout_id, user_id, amount, business_date, opening, earned,
        made_at, imported, attempts, state, next_try, cause, last_error, sent_to))
) STRICT;

CREATE INDEX pending_mails ON payouts (sequence) WHERE state = 'pending';
