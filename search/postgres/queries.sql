-- Every query of ours: its name, one sentence, the statement. search/postgres/queries.py reads this file.

-- name: has_tables
-- Whether all tables are there, Optuna's and ours; ours are made last, so they say that the rest is complete.
SELECT bool_and(to_regclass(wanted) IS NOT NULL)
FROM unnest(ARRAY['studies', 'trials', 'version_info', 'alembic_version', 'search_epochs', 'search_clock']) AS wanted

-- name: make_epochs
-- Makes the table of every metric of every epoch of every trial.
CREATE TABLE IF NOT EXISTS search_epochs (
    trial_id integer NOT NULL REFERENCES trials (trial_id) ON DELETE CASCADE,
    epoch integer NOT NULL CHECK (epoch >= 1),
    metric text NOT NULL,
    value double precision NOT NULL,
    recorded timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (trial_id, epoch, metric)
)

-- name: make_clock
-- Makes the table of the seconds that each study has spent with at least one worker alive.
CREATE TABLE IF NOT EXISTS search_clock (
    study_id integer PRIMARY KEY REFERENCES studies (study_id) ON DELETE CASCADE,
    spent double precision NOT NULL DEFAULT 0,
    seen timestamptz NOT NULL DEFAULT now()
)

-- name: lock
-- Waits for an advisory lock that belongs to the session.
SELECT pg_advisory_lock(:kind, :key)

-- name: lock_awake
-- Waits for an advisory lock, which the server takes back when the session falls silent: its process may be stopped.
SELECT pg_advisory_lock(:kind, :key), set_config('idle_session_timeout', :silence, false)

-- name: unlock_awake
-- Gives such a lock back; from now on the session may be silent for as long as it trains.
SELECT pg_advisory_unlock(:kind, :key), set_config('idle_session_timeout', '0', false)

-- name: lock_shared
-- Waits for an advisory lock that other sessions may share.
SELECT pg_advisory_lock_shared(:kind, :key)

-- name: try_lock
-- Takes an advisory lock unless another session has it.
SELECT pg_try_advisory_lock(:kind, :key)

-- name: unlock
-- Gives an advisory lock back; false when the session didn't have it.
SELECT pg_advisory_unlock(:kind, :key)

-- name: unlock_shared
-- Gives a shared advisory lock back; false when the session didn't have it.
SELECT pg_advisory_unlock_shared(:kind, :key)

-- name: wait_at_most
-- Limits how long this transaction waits for a lock, so that a signal is answered meanwhile.
SELECT set_config('lock_timeout', :wait, true)

-- name: session
-- The server process behind this connection; not the one that a pooler told of when we connected.
SELECT pg_backend_pid()

-- name: room
-- The most connections that our role can have to this database at once, if nobody else has any.
SELECT least(
    current_setting('max_connections')::integer - CASE WHEN rolsuper THEN 0 ELSE
        current_setting('superuser_reserved_connections')::integer
        + coalesce(current_setting('reserved_connections', true)::integer, 0) END,
    CASE WHEN rolsuper OR rolconnlimit < 0 THEN NULL ELSE rolconnlimit END,
    CASE WHEN rolsuper OR datconnlimit < 0 THEN NULL ELSE datconnlimit END)
FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()

-- name: who_am_i
-- The server process behind this connection, and since when, so that it can be recognised after its connection is lost.
SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()

-- name: evict
-- Ends our own earlier session, if the server hasn't noticed yet that its connection is dead, and waits till it is gone.
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid = :pid AND backend_start = :backend_start

-- name: holders
-- The keys of one kind of advisory lock that any session of this database has now, with how many sessions have each.
SELECT objid::bigint AS key, count(DISTINCT pid) AS sessions
FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND classid = :kind
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
GROUP BY objid

-- name: record_epoch
-- Records the metrics of one epoch of a running trial, and the objective where pruners look for it; repeating is fine.
WITH running AS (
    SELECT trial_id FROM trials WHERE trial_id = :trial_id AND state = 'RUNNING'
), judged AS (
    INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value, intermediate_value_type)
    SELECT trial_id, :epoch, CAST(:objective AS double precision), CAST(:kind AS trialintermediatevaluetype)
    FROM running WHERE CAST(:kind AS text) IS NOT NULL
    ON CONFLICT (trial_id, step) DO UPDATE SET
        intermediate_value = excluded.intermediate_value, intermediate_value_type = excluded.intermediate_value_type
)
INSERT INTO search_epochs (trial_id, epoch, metric, value)
SELECT trial_id, :epoch, metric, value
FROM running, unnest(CAST(:metrics AS text[]), CAST(:values AS double precision[])) AS given (metric, value)
ON CONFLICT (trial_id, epoch, metric) DO UPDATE SET value = excluded.value, recorded = excluded.recorded

-- name: epochs
-- Every metric of every epoch of one trial.
SELECT epoch, metric, value FROM search_epochs WHERE trial_id = :trial_id ORDER BY epoch, metric

-- name: last_epochs
-- The metrics of the newest epoch of every running trial of a study.
SELECT trial_id, epoch, metric, value
FROM search_epochs
JOIN (
    SELECT trial_id, max(epoch) AS epoch
    FROM search_epochs JOIN trials USING (trial_id)
    WHERE study_id = :study_id AND state = 'RUNNING'
    GROUP BY trial_id
) AS newest USING (trial_id, epoch)
ORDER BY trial_id, metric

-- name: state
-- The state of one trial.
SELECT state::text FROM trials WHERE trial_id = :trial_id

-- name: tick
-- Adds the time since the clock was last seen, unless nobody was there to work, and returns the seconds spent so far.
INSERT INTO search_clock AS clock (study_id, seen) VALUES (:study_id, clock_timestamp())
ON CONFLICT (study_id) DO UPDATE SET
    spent = clock.spent + CASE WHEN :fresh THEN 0
        ELSE greatest(0, extract(epoch FROM clock_timestamp() - clock.seen)) END,
    seen = clock_timestamp()
RETURNING spent

-- name: spent
-- The seconds spent in a study so far, as the clock was last seen.
SELECT spent FROM search_clock WHERE study_id = :study_id

-- name: survey
-- Everything that a claim must know beside the trials: the clock moved on, trials started, attributes, owned trials.
WITH clock AS (
    INSERT INTO search_clock AS clock (study_id, seen) VALUES (:study_id, clock_timestamp())
    ON CONFLICT (study_id) DO UPDATE SET
        spent = clock.spent + greatest(0, extract(epoch FROM clock_timestamp() - clock.seen)),
        seen = clock_timestamp()
    RETURNING spent
)
SELECT
    (SELECT spent FROM clock) AS spent,
    (SELECT count(*) FROM trials WHERE study_id = :study_id AND state <> 'WAITING') AS started,
    (SELECT jsonb_object_agg(key, CAST(value_json AS jsonb)) FROM study_user_attributes
        WHERE study_id = :study_id AND key = ANY(CAST(:keys AS text[]))) AS attributes,
    (SELECT array_agg(CAST(objid AS integer)) FROM pg_locks
        WHERE locktype = 'advisory' AND granted AND classid = :kind AND objsubid = 2
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS owned

-- name: record_parameters
-- Stores the parameters of a running trial, each with its distribution as Optuna writes it; those that are there stay.
INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json)
SELECT trial_id, name, value, distribution
FROM trials,
    unnest(CAST(:names AS text[]), CAST(:values AS double precision[]), CAST(:distributions AS text[]))
    AS given (name, value, distribution)
WHERE trial_id = :trial_id AND state = 'RUNNING'
ON CONFLICT (trial_id, param_name) DO NOTHING

-- name: record_attributes
-- Stores facts about a running trial beside it, as Optuna's user attributes; a repeated one replaces the earlier one.
INSERT INTO trial_user_attributes (trial_id, key, value_json)
SELECT trial_id, key, value
FROM trials, unnest(CAST(:keys AS text[]), CAST(:values AS text[])) AS given (key, value)
WHERE trial_id = :trial_id AND state = 'RUNNING'
ON CONFLICT (trial_id, key) DO UPDATE SET value_json = excluded.value_json

-- name: make_study
-- Makes a study with an attribute of ours at once, by which it is known from one that somebody else made.
WITH made AS (
    INSERT INTO studies (study_name) VALUES (:name) RETURNING study_id
), directed AS (
    INSERT INTO study_directions (study_id, direction, objective)
    SELECT study_id, CAST(direction AS studydirection), objective - 1
    FROM made, unnest(CAST(:directions AS text[])) WITH ORDINALITY AS given (direction, objective)
)
INSERT INTO study_user_attributes (study_id, key, value_json) SELECT study_id, :key, :value FROM made

-- name: hold_study
-- Keeps others from adding anything to a study until the end of the transaction.
SELECT study_id FROM studies WHERE study_id = :study_id FOR UPDATE

-- name: hold_trials
-- Keeps others from adding anything to the trials of a study until the end of the transaction.
SELECT trial_id FROM trials WHERE study_id = :study_id FOR UPDATE
