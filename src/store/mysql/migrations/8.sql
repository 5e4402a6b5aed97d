-- From schema 7 to 8: usernames that stay reserved after a deletion or a rename.

CREATE TABLE IF NOT EXISTS resting_name (
    id         VARBINARY(16)  NOT NULL PRIMARY KEY,
    user_id    VARBINARY(255),
    expires_at BIGINT         NOT NULL,
    KEY resting_name_by_user (user_id),
    KEY resting_name_by_end (expires_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
