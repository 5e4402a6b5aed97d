-- The first schema on this engine, as it was made: for the tests of the way from there to here.

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
    epoch              BIGINT          NOT NULL DEFAULT 0
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
    KEY access_token_by_user (user_id),
    KEY access_token_by_end (expires_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS ticket (
    id         VARBINARY(32)  NOT NULL PRIMARY KEY,
    user_id    VARBINARY(255) NOT NULL,
    created_at BIGINT         NOT NULL,
    expires_at BIGINT         NOT NULL,
    UNIQUE KEY ticket_by_user (user_id),
    KEY ticket_by_end (expires_at)
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

CREATE TABLE IF NOT EXISTS secret (
    name  VARBINARY(64) NOT NULL PRIMARY KEY,
    value VARBINARY(32) NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS device (
    id           VARBINARY(32)  NOT NULL,
    user_id      VARBINARY(255) NOT NULL,
    last_used_at BIGINT         NOT NULL,
    PRIMARY KEY (id, user_id),
    KEY device_by_user (user_id, last_used_at),
    KEY device_by_end (last_used_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS throttle (
    id       VARBINARY(16) NOT NULL PRIMARY KEY,
    failures INT UNSIGNED  NOT NULL,
    last_at  BIGINT        NOT NULL,
    until    BIGINT        NOT NULL,
    KEY throttle_by_worth (until, last_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The number of a record comes from `counter`, in the transaction that adds it, so that records are seen
-- in the order of their numbers, whichever server adds them.
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

-- Numbers that were given out: the last one of `audit`.
CREATE TABLE IF NOT EXISTS counter (
    name  VARBINARY(64) NOT NULL PRIMARY KEY,
    value BIGINT        NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

INSERT INTO counter (name, value) VALUES ('audit', 0) ON DUPLICATE KEY UPDATE value = value;
