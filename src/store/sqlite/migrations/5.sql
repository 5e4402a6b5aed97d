-- From schema 4 to 5: what else was known of people who came over from another system.

ALTER TABLE user ADD COLUMN attributes TEXT NOT NULL DEFAULT '';
