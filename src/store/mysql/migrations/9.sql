-- From schema 8 to 9: one-time tokens with a purpose, in the place of password reset links.

CREATE TABLE IF NOT EXISTS one_time_token (
    id         VARBINARY(32)  NOT NULL PRIMARY KEY,
    user_id    VARBINARY(255) NOT NULL,
    purpose    VARBINARY(64)  NOT NULL,
    created_at BIGINT         NOT NULL,
    expires_at BIGINT         NOT NULL,
    epoch      BIGINT         NOT NULL,
    detail     VARCHAR(4096)  NOT NULL DEFAULT '',
    UNIQUE KEY one_time_token_by_user (user_id, purpose),
    KEY one_time_token_by_end (expires_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Reset links move to the new table, so that none can be used by an older process and again by a newer
-- one. The old table stays, empty: an older process deletes from it whenever a password is set.
REPLACE INTO one_time_token (id, user_id, purpose, created_at, expires_at, epoch, detail)
SELECT ticket.id, user_id, 'reset_password', ticket.created_at, expires_at, user.epoch, ''
  FROM ticket JOIN user ON user.id = ticket.user_id;

DELETE FROM ticket;
