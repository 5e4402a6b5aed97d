-- From schema 9 to 10: when the clock was believed last, on which deleting rests.

CREATE TABLE clock (
    id          INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    believed_at INTEGER NOT NULL
) STRICT;

INSERT INTO clock VALUES (1, 0);
