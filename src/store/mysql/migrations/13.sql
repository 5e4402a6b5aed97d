-- From schema 12 to 13: second factors.

ALTER TABLE user ADD COLUMN second_factor_since BIGINT;

ALTER TABLE user_session ADD COLUMN second_at BIGINT NOT NULL DEFAULT 0;

ALTER TABLE access_token ADD COLUMN second_at BIGINT NOT NULL DEFAULT 0;

ALTER TABLE device ADD COLUMN second_at BIGINT NOT NULL DEFAULT 0;

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
