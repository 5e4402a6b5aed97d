-- vestibule's tables on MariaDB. The columns are documented in schema.sql, in the project's root folder;
-- here is only what differs.
--
-- Identifiers are VARBINARY with UTF-8 in them: they are compared byte by byte, and no collation makes two
-- of them equal. Every table has a primary key, as Galera requires. There are no foreign keys: deleting a
-- user deletes the rows that belong to it, statement by statement. AUTO_INCREMENT is not used, as its
-- numbers have gaps and another order on each node.
--
-- One statement per step. DDL cannot be rolled back, so each has to be harmless when it is run twice.

CREATE TABLE IF NOT EXISTS user (
    id                 VARBINARY(255)  NOT NULL PRIMARY KEY,
    username           VARCHAR(255)    NOT NULL,
    canonical_username VARBINARY(1024) NOT NULL UNIQUE,
    created_at         BIGINT          NOT NULL,
    group_names        VARCHAR(4096)   NOT NULL DEFAULT '',
    email              VARCHAR(512)    NOT NULL DEFAULT '',
    disabled_at        BIGINT,
    disabled_reason    VARCHAR(4096)   NOT NULL DEFAULT '',
    attributes         MEDIUMTEXT      NOT NULL,
    epoch              BIGINT          NOT NULL DEFAULT 0,
    canonical_email    VARBINARY(1024) NOT NULL DEFAULT '',
    email_verified_at  BIGINT,
    second_factor_since BIGINT,
    KEY user_by_email (canonical_email)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS user_key (
    id              VARBINARY(1280) NOT NULL PRIMARY KEY,
    user_id         VARBINARY(255)  NOT NULL,
    hashed_password VARBINARY(1024),
    KEY user_key_by_user (user_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS user_session (
    id               VARBINARY(32)  NOT NULL PRIMARY KEY,
    user_id          VARBINARY(255) NOT NULL,
    active_expires   BIGINT         NOT NULL,
    idle_expires     BIGINT         NOT NULL,
    absolute_expires BIGINT         NOT NULL,
    created_at       BIGINT         NOT NULL,
    proven_at        BIGINT         NOT NULL DEFAULT 0,
    seen_at          BIGINT         NOT NULL DEFAULT 0,
    is_transient     BOOLEAN        NOT NULL DEFAULT 0,
    browser          VARCHAR(1024)  NOT NULL DEFAULT '',
    address          VARCHAR(255)   NOT NULL DEFAULT '',
    epoch            BIGINT         NOT NULL DEFAULT 0,
    second_at        BIGINT         NOT NULL DEFAULT 0,
    KEY user_session_by_user (user_id),
    KEY user_session_by_end (idle_expires)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS access_token (
    id         VARBINARY(32)  NOT NULL PRIMARY KEY,
    user_id    VARBINARY(255) NOT NULL,
    name       VARCHAR(1024)  NOT NULL,
    created_at BIGINT         NOT NULL,
    expires_at BIGINT         NOT NULL,
    used_at    BIGINT,
    epoch      BIGINT         NOT NULL DEFAULT 0,
    second_at  BIGINT         NOT NULL DEFAULT 0,
    KEY access_token_by_user (user_id),
    KEY access_token_by_end (expires_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS one_time_token (
    id         VARBINARY(32)  NOT NULL PRIMARY KEY,
    user_id    VARBINARY(255) NOT NULL,
    purpose    VARBINARY(64)  NOT NULL,
    created_at BIGINT         NOT NULL,
    expires_at BIGINT         NOT NULL,
    epoch      BIGINT         NOT NULL,
    detail     VARCHAR(4096)  NOT NULL DEFAULT '',
    slot       INT            NOT NULL DEFAULT 0,
    UNIQUE KEY one_time_token_by_slot (user_id, purpose, slot),
    KEY one_time_token_by_end (expires_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS invite (
    id          VARBINARY(32) NOT NULL PRIMARY KEY,
    note        VARCHAR(8192) NOT NULL,
    group_names VARCHAR(4096) NOT NULL,
    uses_left   INT UNSIGNED  NOT NULL,
    is_first    BOOLEAN       NOT NULL DEFAULT 0,
    created_at  BIGINT        NOT NULL,
    expires_at  BIGINT        NOT NULL,
    KEY invite_by_end (expires_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS mail (
    id           VARBINARY(32)  NOT NULL PRIMARY KEY,
    kind         VARBINARY(64)  NOT NULL,
    user_id      VARBINARY(255) NOT NULL,
    address      VARCHAR(512)   NOT NULL,
    language     VARBINARY(32)  NOT NULL,
    detail       VARCHAR(8192)  NOT NULL,
    created_at   BIGINT         NOT NULL,
    due_at       BIGINT         NOT NULL,
    tries        INT UNSIGNED   NOT NULL DEFAULT 0,
    last_outcome VARCHAR(255)   NOT NULL DEFAULT '',
    lease        VARBINARY(64)  NOT NULL DEFAULT '',
    lease_until  BIGINT         NOT NULL DEFAULT 0,
    KEY mail_by_due (due_at),
    KEY mail_by_user (user_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS resting_name (
    id         VARBINARY(16)  NOT NULL PRIMARY KEY,
    user_id    VARBINARY(255),
    expires_at BIGINT         NOT NULL,
    KEY resting_name_by_user (user_id),
    KEY resting_name_by_end (expires_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS secret (
    name  VARBINARY(64) NOT NULL PRIMARY KEY,
    value VARBINARY(32) NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS device (
    id           VARBINARY(32)  NOT NULL,
    user_id      VARBINARY(255) NOT NULL,
    last_used_at BIGINT         NOT NULL,
    second_at    BIGINT         NOT NULL DEFAULT 0,
    PRIMARY KEY (id, user_id),
    KEY device_by_user (user_id, last_used_at),
    KEY device_by_end (last_used_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS totp (
    user_id    VARBINARY(255) NOT NULL PRIMARY KEY,
    secret     VARBINARY(128) NOT NULL,
    last_step  BIGINT         NOT NULL,
    created_at BIGINT         NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS recovery_code (
    id         VARBINARY(32)  NOT NULL PRIMARY KEY,
    user_id    VARBINARY(255) NOT NULL,
    created_at BIGINT         NOT NULL,
    KEY recovery_code_by_user (user_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS passkey (
    id            VARBINARY(1023) NOT NULL PRIMARY KEY,
    user_id       VARBINARY(255)  NOT NULL,
    user_handle   VARBINARY(64)   NOT NULL,
    public_key    VARBINARY(1100) NOT NULL,
    sign_count    BIGINT          NOT NULL,
    rp_id         VARBINARY(255)  NOT NULL,
    verifies_user TINYINT         NOT NULL,
    is_backed_up  TINYINT         NOT NULL,
    transports    VARBINARY(255)  NOT NULL,
    name          VARCHAR(255)    NOT NULL,
    created_at    BIGINT          NOT NULL,
    used_at       BIGINT,
    KEY passkey_by_user (user_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS used_challenge (
    id         VARBINARY(16) NOT NULL PRIMARY KEY,
    expires_at BIGINT        NOT NULL,
    KEY used_challenge_by_end (expires_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS throttle (
    id       VARBINARY(16) NOT NULL PRIMARY KEY,
    failures INT UNSIGNED  NOT NULL,
    last_at  BIGINT        NOT NULL,
    until    BIGINT        NOT NULL,
    KEY throttle_by_worth (until, last_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS clock (
    id          TINYINT NOT NULL PRIMARY KEY,
    believed_at BIGINT  NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

INSERT INTO clock (id, believed_at) VALUES (1, 0) ON DUPLICATE KEY UPDATE id = id;

-- A record's id comes from `counter`, in the transaction that adds the record, so that records become
-- visible in the order of their ids, whichever server adds them.
CREATE TABLE IF NOT EXISTS audit (
    id      BIGINT         NOT NULL PRIMARY KEY,
    at      BIGINT         NOT NULL,
    event   VARCHAR(255)   NOT NULL,
    user_id VARBINARY(255),
    address VARCHAR(255),
    session VARCHAR(255),
    request VARCHAR(255),
    detail  TEXT           NOT NULL,
    KEY audit_by_time (at),
    KEY audit_by_user (user_id, at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Sequences: the last id given out for `audit`.
CREATE TABLE IF NOT EXISTS counter (
    name  VARBINARY(64) NOT NULL PRIMARY KEY,
    value BIGINT        NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

INSERT INTO counter (name, value) VALUES ('audit', 0) ON DUPLICATE KEY UPDATE value = value;
