-- From schema 13 to 14: passkeys.

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
