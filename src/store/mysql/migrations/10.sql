-- From schema 9 to 10: when the clock was believed last, on which deleting rests.

CREATE TABLE IF NOT EXISTS clock (
    id          TINYINT NOT NULL PRIMARY KEY,
    believed_at BIGINT  NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

INSERT INTO clock (id, believed_at) VALUES (1, 0) ON DUPLICATE KEY UPDATE id = id;
