-- One finished call; its state is what a person sees.
CREATE TABLE calls (
    `id` TEXT NOT NULL,
    `started_at` BIGINT NOT NULL,
    `ended_at` BIGINT NOT NULL,
    `direction` TEXT NOT NULL,
    `client` TEXT,
    `outcome` TEXT NOT NULL,
    `state` TEXT NOT NULL,
    `reason` TEXT NOT NULL,
    `next_at` BIGINT,
    `fingerprint` TEXT NOT NULL,
    `call_json` TEXT NOT NULL,
    `rows_json` TEXT NOT NULL,
    `plan_json` TEXT NOT NULL,
    `created_at` BIGINT NOT NULL,
    `updated_at` BIGINT NOT NULL,
    PRIMARY KEY (`id`)
);

-- Every linkedid of a call, so that a merged call is found by any of them.
CREATE TABLE call_linkedids (
    `linkedid` TEXT NOT NULL,
    `call_id` TEXT NOT NULL,
    PRIMARY KEY (`linkedid`)
);

-- Delivery: what is to be done in the CRM, each exactly once.
CREATE TABLE actions (
    `id` INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    `call_id` TEXT NOT NULL,
    `position` INTEGER NOT NULL,
    `kind` TEXT NOT NULL,
    `dedupe_key` TEXT NOT NULL,
    `payload` TEXT NOT NULL,
    `state` TEXT NOT NULL,
    `reason` TEXT NOT NULL,
    `attempts` INTEGER NOT NULL,
    `next_at` BIGINT NOT NULL,
    `result` TEXT NOT NULL,
    `created_at` BIGINT NOT NULL,
    `updated_at` BIGINT NOT NULL
);

-- Requests sent for a call, and the answers, for explain.
CREATE TABLE requests (
    `id` INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    `call_id` TEXT NOT NULL,
    `action_id` BIGINT,
    `sent_at_ms` BIGINT NOT NULL,
    `method` TEXT NOT NULL,
    `path` TEXT NOT NULL,
    `body` TEXT NOT NULL,
    `status` INTEGER NOT NULL,
    `answer` TEXT NOT NULL,
    `took_ms` INTEGER NOT NULL
);

-- Contacts and companies.
CREATE TABLE directory_entities (
    `kind` TEXT NOT NULL,
    `id` BIGINT NOT NULL,
    `name` TEXT NOT NULL,
    `responsible` BIGINT NOT NULL,
    `created_at` BIGINT NOT NULL,
    `updated_at` BIGINT NOT NULL,
    `phones` TEXT NOT NULL,
    PRIMARY KEY (`kind`, `id`)
);

-- Open leads.
CREATE TABLE directory_leads (
    `id` BIGINT NOT NULL,
    `pipeline` BIGINT NOT NULL,
    `status` BIGINT NOT NULL,
    `responsible` BIGINT NOT NULL,
    `created_at` BIGINT NOT NULL,
    `updated_at` BIGINT NOT NULL,
    PRIMARY KEY (`id`)
);

-- Which leads hang on whom.
CREATE TABLE directory_lead_links (
    `lead_id` BIGINT NOT NULL,
    `kind` TEXT NOT NULL,
    `entity_id` BIGINT NOT NULL,
    PRIMARY KEY (`lead_id`, `kind`, `entity_id`)
);

-- How far each reader has come.
CREATE TABLE cursors (
    `name` TEXT NOT NULL,
    `value` TEXT NOT NULL,
    `updated_at` BIGINT NOT NULL,
    PRIMARY KEY (`name`)
);

-- Tokens and keys made at run time.
CREATE TABLE secrets (
    `name` TEXT NOT NULL,
    `value` TEXT NOT NULL,
    `updated_at` BIGINT NOT NULL,
    PRIMARY KEY (`name`)
);

-- Which node does what only one may do.
CREATE TABLE leases (
    `name` TEXT NOT NULL,
    `holder` TEXT NOT NULL,
    `until` BIGINT NOT NULL,
    PRIMARY KEY (`name`)
);

-- CDR rows already taken, for tables without a key.
CREATE TABLE seen_rows (
    `fingerprint` TEXT NOT NULL,
    `seen_at` BIGINT NOT NULL,
    PRIMARY KEY (`fingerprint`)
);

CREATE INDEX calls_started ON calls (started_at);
CREATE INDEX calls_state ON calls (state, next_at);
CREATE INDEX call_linkedids_call ON call_linkedids (call_id);
CREATE UNIQUE INDEX actions_key ON actions (dedupe_key);
CREATE INDEX actions_call ON actions (call_id);
CREATE INDEX actions_due ON actions (state, next_at);
CREATE INDEX requests_call ON requests (call_id);
CREATE INDEX lead_links_entity ON directory_lead_links (kind, entity_id);
CREATE INDEX seen_rows_at ON seen_rows (seen_at);
