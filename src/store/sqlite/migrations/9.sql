-- From schema 8 to 9: one-time tokens with a purpose, in the place of password reset links.

CREATE TABLE one_time_token (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    user_id    TEXT    NOT NULL REFERENCES user (id),
    purpose    TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    epoch      INTEGER NOT NULL,
    detail     TEXT    NOT NULL DEFAULT '',
    UNIQUE (user_id, purpose)
) STRICT, WITHOUT ROWID;

-- Links that are still valid stay so. Of several of one user the latest is kept.
INSERT OR REPLACE INTO one_time_token
       (id, user_id, purpose, created_at, expires_at, epoch, detail)
SELECT ticket.id, ticket.user_id, 'reset_password', ticket.created_at, ticket.expires_at, user.epoch, ''
  FROM ticket JOIN user ON user.id = ticket.user_id
 ORDER BY ticket.created_at;

DROP TABLE ticket;

CREATE INDEX one_time_token_by_end ON one_time_token (expires_at);
