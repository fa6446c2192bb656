-- The tables of popug-cli in PostgreSQL 14 or newer, for the logs of any number of companies.
--   popug-cli remote schema | psql -v ON_ERROR_STOP=1 DATABASE
-- Run it as the owner of the tables, and let the users of popug-cli be members of popug_writer, so
-- that they can append and nothing else:  GRANT popug_writer TO someone;
BEGIN;

CREATE SCHEMA IF NOT EXISTS popug;

-- The last event of each company.
CREATE TABLE IF NOT EXISTS popug.head (
    company uuid PRIMARY KEY,
    sequence bigint NOT NULL CHECK (sequence > 0),
    hash text NOT NULL CHECK (hash ~ '^[0-9a-f]{64}$')
);

-- The lines of the logs, without line breaks. An event counts if its sequence is at most the head's.
CREATE TABLE IF NOT EXISTS popug.event (
    company uuid NOT NULL,
    sequence bigint NOT NULL,
    line text NOT NULL,
    PRIMARY KEY (company, sequence)
);

CREATE OR REPLACE FUNCTION popug.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log of popug-cli is append-only: % on % is refused', TG_OP, TG_TABLE_NAME;
END $$;

CREATE OR REPLACE FUNCTION popug.advance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.company <> OLD.company OR NEW.sequence <= OLD.sequence THEN
        RAISE EXCEPTION 'the head of a log only advances: % to % is refused', OLD.sequence, NEW.sequence;
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER event_changes BEFORE UPDATE OR DELETE OR TRUNCATE ON popug.event
    FOR EACH STATEMENT EXECUTE FUNCTION popug.refuse();
CREATE OR REPLACE TRIGGER head_goes BEFORE DELETE OR TRUNCATE ON popug.head
    FOR EACH STATEMENT EXECUTE FUNCTION popug.refuse();
CREATE OR REPLACE TRIGGER head_advances BEFORE UPDATE ON popug.head
    FOR EACH ROW EXECUTE FUNCTION popug.advance();

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'popug_writer') THEN
        CREATE ROLE popug_writer NOLOGIN;
    END IF;
END $$;
GRANT USAGE ON SCHEMA popug TO popug_writer;
GRANT SELECT, INSERT ON popug.event TO popug_writer;
GRANT SELECT, INSERT, UPDATE ON popug.head TO popug_writer;

COMMIT;
