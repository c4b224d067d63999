-- One finished call; its state is what a person sees.
CREATE TABLE calls (
    `id` VARCHAR(160) COLLATE utf8mb4_bin NOT NULL,
    `started_at` BIGINT NOT NULL,
    `ended_at` BIGINT NOT NULL,
    `direction` VARCHAR(96) NOT NULL,
    `client` VARCHAR(96),
    `outcome` VARCHAR(96) NOT NULL,
    `state` VARCHAR(96) NOT NULL,
    `reason` LONGTEXT NOT NULL,
    `next_at` BIGINT,
    `fingerprint` VARCHAR(96) NOT NULL,
    `call_json` LONGTEXT NOT NULL,
    `rows_json` LONGTEXT NOT NULL,
    `plan_json` LONGTEXT NOT NULL,
    `created_at` BIGINT NOT NULL,
    `updated_at` BIGINT NOT NULL,
    PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- Every linkedid of a call, so that a merged call is found by any of them.
CREATE TABLE call_linkedids (
    `linkedid` VARCHAR(160) COLLATE utf8mb4_bin NOT NULL,
    `call_id` VARCHAR(160) COLLATE utf8mb4_bin NOT NULL,
    PRIMARY KEY (`linkedid`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- Delivery: what is to be done in the CRM, each exactly once.
CREATE TABLE actions (
    `id` BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `call_id` VARCHAR(160) COLLATE utf8mb4_bin NOT NULL,
    `position` INTEGER NOT NULL,
    `kind` VARCHAR(96) NOT NULL,
    `dedupe_key` VARCHAR(160) COLLATE utf8mb4_bin NOT NULL,
    `payload` LONGTEXT NOT NULL,
    `state` VARCHAR(96) NOT NULL,
    `reason` LONGTEXT NOT NULL,
    `attempts` INTEGER NOT NULL,
    `next_at` BIGINT NOT NULL,
    `result` LONGTEXT NOT NULL,
    `created_at` BIGINT NOT NULL,
    `updated_at` BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- Requests sent for a call, and the answers, for explain.
CREATE TABLE requests (
    `id` BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `call_id` VARCHAR(160) COLLATE utf8mb4_bin NOT NULL,
    `action_id` BIGINT,
    `sent_at_ms` BIGINT NOT NULL,
    `method` VARCHAR(96) NOT NULL,
    `path` LONGTEXT NOT NULL,
    `body` LONGTEXT NOT NULL,
    `status` INTEGER NOT NULL,
    `answer` LONGTEXT NOT NULL,
    `took_ms` INTEGER NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- Contacts and companies.
CREATE TABLE directory_entities (
    `kind` VARCHAR(96) NOT NULL,
    `id` BIGINT NOT NULL,
    `name` LONGTEXT NOT NULL,
    `responsible` BIGINT NOT NULL,
    `created_at` BIGINT NOT NULL,
    `updated_at` BIGINT NOT NULL,
    `phones` LONGTEXT NOT NULL,
    PRIMARY KEY (`kind`, `id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- Open leads.
CREATE TABLE directory_leads (
    `id` BIGINT NOT NULL,
    `pipeline` BIGINT NOT NULL,
    `status` BIGINT NOT NULL,
    `responsible` BIGINT NOT NULL,
    `created_at` BIGINT NOT NULL,
    `updated_at` BIGINT NOT NULL,
    PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- Which leads hang on whom.
CREATE TABLE directory_lead_links (
    `lead_id` BIGINT NOT NULL,
    `kind` VARCHAR(96) NOT NULL,
    `entity_id` BIGINT NOT NULL,
    PRIMARY KEY (`lead_id`, `kind`, `entity_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- How far each reader has come.
CREATE TABLE cursors (
    `name` VARCHAR(160) COLLATE utf8mb4_bin NOT NULL,
    `value` LONGTEXT NOT NULL,
    `updated_at` BIGINT NOT NULL,
    PRIMARY KEY (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- Tokens and keys made at run time.
CREATE TABLE secrets (
    `name` VARCHAR(160) COLLATE utf8mb4_bin NOT NULL,
    `value` LONGTEXT NOT NULL,
    `updated_at` BIGINT NOT NULL,
    PRIMARY KEY (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- Which node does what only one may do.
CREATE TABLE leases (
    `name` VARCHAR(160) COLLATE utf8mb4_bin NOT NULL,
    `holder` VARCHAR(96) NOT NULL,
    `until` BIGINT NOT NULL,
    PRIMARY KEY (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- CDR rows already taken, for tables without a key.
CREATE TABLE seen_rows (
    `fingerprint` VARCHAR(160) COLLATE utf8mb4_bin NOT NULL,
    `seen_at` BIGINT NOT NULL,
    PRIMARY KEY (`fingerprint`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE INDEX calls_started ON calls (started_at);
CREATE INDEX calls_state ON calls (state, next_at);
CREATE INDEX call_linkedids_call ON call_linkedids (call_id);
CREATE UNIQUE INDEX actions_key ON actions (dedupe_key);
CREATE INDEX actions_call ON actions (call_id);
CREATE INDEX actions_due ON actions (state, next_at);
CREATE INDEX requests_call ON requests (call_id);
CREATE INDEX lead_links_entity ON directory_lead_links (kind, entity_id);
CREATE INDEX seen_rows_at ON seen_rows (seen_at);
