-- Tables that accounting and analytics both keep, each in its own file.

-- One row: up to where the log is applied, by which version of the code, and what the entries
-- (balance.changed) up to there add up to: their count, their signed sum and their digest. The
-- other tables are compared with it whenever the file is opened for work.
CREATE TABLE checkpoint (
    sequence UBIGINT NOT NULL,
    hash VARCHAR NOT NULL,
    code_version INTEGER NOT NULL,
    entries UBIGINT NOT NULL,
    amount BIGINT NOT NULL,
    digest UBIGINT NOT NULL
);

-- One row, from company.founded.
CREATE TABLE company (
    company_id UUID NOT NULL,
    name VARCHAR NOT NULL,
    time_zone VARCHAR NOT NULL,
    currency VARCHAR NOT NULL,
    fee_min BIGINT NOT NULL,
    fee_max BIGINT NOT NULL,
    reward_min BIGINT NOT NULL,
    reward_max BIGINT NOT NULL,
    test_clock BOOLEAN NOT NULL,
    founded_at TIMESTAMP NOT NULL
);

CREATE TABLE users (
    user_id UUID NOT NULL,
    login VARCHAR NOT NULL,
    full_name VARCHAR NOT NULL,
    email VARCHAR NOT NULL,
    role VARCHAR NOT NULL,
    active BOOLEAN NOT NULL
);

-- What each event about a user made of that user, one row for each event, never updated. At the end of a business date
-- a user is as the last row dated on it or earlier says; before the first row nobody is registered.
CREATE TABLE user_changes (
    sequence UBIGINT NOT NULL,
    user_id UUID NOT NULL,
    business_date DATE NOT NULL,
    full_name VARCHAR NOT NULL,
    role VARCHAR NOT NULL,
    active BOOLEAN NOT NULL
);

-- Every user's entries of every date, in minor units. fees, rewards and payout are positive sums,
-- corrections signed from the popug's side; balance = rewards - fees + corrections - payout. digest is that of the
-- entries of the row.
CREATE TABLE user_days (
    business_date DATE NOT NULL,
    user_id UUID NOT NULL,
    fees BIGINT NOT NULL,
    rewards BIGINT NOT NULL,
    corrections BIGINT NOT NULL,
    payout BIGINT NOT NULL,
    entries UBIGINT NOT NULL,
    late_entries UBIGINT NOT NULL,
    digest UBIGINT NOT NULL
);

CREATE TABLE payouts (
    sequence UBIGINT NOT NULL,
    payout_id UUID NOT NULL,
    entry_id UUID NOT NULL,
    user_id UUID NOT NULL,
    amount BIGINT NOT NULL,
    business_date DATE NOT NULL,
    opening BIGINT NOT NULL,
    earned BIGINT NOT NULL,
    paid_at TIMESTAMP NOT NULL
);

CREATE TABLE closes (
    sequence UBIGINT NOT NULL,
    business_date DATE NOT NULL,
    closed_at TIMESTAMP NOT NULL,
    closed_by UUID NOT NULL,
    through_sequence UBIGINT NOT NULL,
    entries UBIGINT NOT NULL,
    late_entries UBIGINT NOT NULL,
    fees BIGINT NOT NULL,
    rewards BIGINT NOT NULL,
    corrections BIGINT NOT NULL,
    management_earned BIGINT NOT NULL,
    payouts_count UBIGINT NOT NULL,
    payouts_total BIGINT NOT NULL,
    accounts_negative UBIGINT NOT NULL,
    debt_carried BIGINT NOT NULL,
    skipped_events UBIGINT NOT NULL
);
