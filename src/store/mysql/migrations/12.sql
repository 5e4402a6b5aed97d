-- From schema 11 to 12: verified e-mail addresses, several links of one purpose, and mail that waits to be sent.

ALTER TABLE user ADD COLUMN canonical_email VARBINARY(1024) NOT NULL DEFAULT '';

ALTER TABLE user ADD COLUMN email_verified_at BIGINT;

ALTER TABLE user ADD KEY user_by_email (canonical_email);

-- Until now operators have set all addresses, and apps were told them: they are verified.
UPDATE user SET canonical_email = IF(CHAR_LENGTH(email) <= 254, LOWER(email), ''),
       email_verified_at = created_at
 WHERE email <> '' AND email_verified_at IS NULL AND canonical_email = '';

ALTER TABLE one_time_token ADD COLUMN slot INT NOT NULL DEFAULT 0;

ALTER TABLE one_time_token ADD UNIQUE KEY one_time_token_by_slot (user_id, purpose, slot);

ALTER TABLE one_time_token DROP KEY one_time_token_by_user;

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
