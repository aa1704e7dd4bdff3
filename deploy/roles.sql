-- Which rights do a worker and a dashboard need in a PostgreSQL of one's own? These, and no others.
--
-- The owner of the tables runs this once, after the tables exist (`python -m search run` as the owner makes them); it
-- may be run again:
--     psql -v ON_ERROR_STOP=1 -f deploy/roles.sql DATABASE
-- The owner needs CREATEROLE for the first step, unless both roles exist. No password stands here; give each role its own:
--     \password search_worker
--     \password search_dashboard

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['search_worker', 'search_dashboard'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', name);
        END IF;
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), name);
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), name);
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO %I', current_schema(), name);
    END LOOP;
    -- Before PostgreSQL 15 everybody may make tables in `public`.
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', current_schema());
    EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA %I TO search_worker', current_schema());
END
$$;

-- Nothing is ever deleted, and the version of the tables is the owner's.
GRANT INSERT, UPDATE ON
    studies, study_directions, study_user_attributes, study_system_attributes,
    trials, trial_params, trial_values, trial_intermediate_values, trial_heartbeats,
    trial_user_attributes, trial_system_attributes,
    search_epochs, search_clock
TO search_worker;
