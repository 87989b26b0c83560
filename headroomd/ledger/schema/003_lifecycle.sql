-- How learnings prove themselves, and what the user has said about them.

ALTER TABLE learnings ADD COLUMN support REAL NOT NULL DEFAULT 0;        -- sessions that show it, faded by their age
ALTER TABLE learnings ADD COLUMN retired_at REAL NOT NULL DEFAULT 0;     -- only newer evidence brings it back; 0: never
ALTER TABLE learnings ADD COLUMN reworded_at REAL NOT NULL DEFAULT 0;    -- when it was said anew, or restored: its effect counts from then
ALTER TABLE learnings ADD COLUMN given_up INTEGER NOT NULL DEFAULT 0;    -- it did not help: only the user brings it back
ALTER TABLE learnings ADD COLUMN changes INTEGER NOT NULL DEFAULT 0;     -- how often its status has changed
ALTER TABLE learnings ADD COLUMN verdict TEXT NOT NULL DEFAULT '';       -- effects.Verdict; '': never shown to an agent

-- What the user decided about a rule. It outlives the evidence, and speaks for paraphrases of the rule too.
CREATE TABLE decisions (
    learning TEXT PRIMARY KEY,          -- id of the learning
    project INTEGER NOT NULL REFERENCES projects (id),
    section TEXT NOT NULL,
    subject TEXT NOT NULL,
    remedy TEXT NOT NULL,
    decision TEXT NOT NULL CHECK (decision IN ('forgotten', 'accepted')),
    text TEXT NOT NULL,                 -- the rule as it was said
    at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX decisions_of_project ON decisions (project);

-- From when to when an agent's file has shown a rule: what came before and after are told apart by it.
CREATE TABLE showings (
    learning TEXT NOT NULL,
    agent TEXT NOT NULL,
    path TEXT NOT NULL,
    since REAL NOT NULL,
    until REAL,                         -- NULL: it still does
    PRIMARY KEY (learning, agent, path, since)
) WITHOUT ROWID;

-- The block of each file as it was last written, or seen since: how the user's edits are known.
CREATE TABLE blocks (
    path TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    branch TEXT NOT NULL,               -- what .git/HEAD said: another branch has another file, not an edited one
    bullets TEXT NOT NULL,              -- JSON [[id, text], ...]
    write INTEGER NOT NULL,             -- the latest write in the journal that is known to have been made
    refused INTEGER NOT NULL DEFAULT 0  -- the user took the whole block out: nothing is written there
) WITHOUT ROWID;

ALTER TABLE writes ADD COLUMN bullets TEXT NOT NULL DEFAULT '[]';  -- JSON [[id, text], ...]: what the block then held
