-- From schema 6 to 7: the epoch, which ends what was let in under an old password.

ALTER TABLE user ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;

ALTER TABLE user_session ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;

ALTER TABLE access_token ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
