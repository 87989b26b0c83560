-- The ledger as it began. Never edit a numbered file that was released: add the next one.
-- Times are seconds since the epoch, UTC. Text that came out of a session is redacted before it gets here.

CREATE TABLE projects (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE           -- real path of the root
);

CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    agent TEXT NOT NULL,
    session TEXT NOT NULL,              -- the agent's own id
    parent TEXT NOT NULL DEFAULT '',    -- the session it was forked from or spawned by
    cwd TEXT NOT NULL DEFAULT '',
    place TEXT NOT NULL,                -- projects.Place: found, home, missing, unknown
    project INTEGER REFERENCES projects (id),  -- NULL unless found
    first_at REAL NOT NULL DEFAULT 0,
    last_at REAL NOT NULL DEFAULT 0,
    calls INTEGER NOT NULL DEFAULT 0,   -- distinct calls that count for this session
    failed INTEGER NOT NULL DEFAULT 0,
    UNIQUE (agent, session)
);
CREATE INDEX sessions_of_project ON sessions (project, last_at);

-- One row a session file: how far it was read and what must be carried to the next reading.
CREATE TABLE files (
    path TEXT PRIMARY KEY,
    agent TEXT NOT NULL,
    session INTEGER REFERENCES sessions (id),
    cursor BLOB,                        -- msgpack of agents.tail.Cursor; NULL: never read to a line's end
    state BLOB NOT NULL DEFAULT x'',    -- msgpack of what the reader and the correlator carry
    odd INTEGER NOT NULL DEFAULT 0,     -- lines that could not be understood
    repaired INTEGER NOT NULL DEFAULT 0,
    skipped INTEGER NOT NULL DEFAULT 0, -- lines too long to be read
    error TEXT NOT NULL DEFAULT ''      -- why the last reading stopped early
) WITHOUT ROWID;
CREATE INDEX files_of_agent ON files (agent);
CREATE INDEX files_with_losses ON files (agent, odd, skipped) WHERE odd > 0 OR skipped > 0;

-- Every call that was ever counted, by a 64-bit hash of its key, and the session that it counts for: the one that
-- was read first. This is how a call counts once over forks, resumes, checkpoints and migrations.
CREATE TABLE calls (
    key INTEGER PRIMARY KEY,
    session INTEGER NOT NULL
);

CREATE TABLE failures (
    session INTEGER NOT NULL REFERENCES sessions (id),
    kind TEXT NOT NULL,                 -- model.FailureKind
    calls INTEGER NOT NULL,
    PRIMARY KEY (session, kind)
) WITHOUT ROWID;

-- How often a session tried an operation. The key is a 64-bit hash of model.Attempt.key: it only has to be
-- compared, and commands may hold secrets.
CREATE TABLE attempts (
    session INTEGER NOT NULL REFERENCES sessions (id),
    key INTEGER NOT NULL,
    ok INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    PRIMARY KEY (session, key)
) WITHOUT ROWID;

CREATE TABLE evidence (
    number INTEGER PRIMARY KEY,         -- rows are appended: in the order of their ids they would be all over the file
    id TEXT NOT NULL UNIQUE,            -- the same for the same calls and lesson
    project INTEGER NOT NULL REFERENCES projects (id),
    session INTEGER NOT NULL REFERENCES sessions (id),  -- the one that the failed call counts for
    section TEXT NOT NULL,
    subject TEXT NOT NULL,
    remedy TEXT NOT NULL,
    at REAL NOT NULL,
    failed_call INTEGER NOT NULL,       -- key in calls
    failed TEXT NOT NULL,               -- JSON of model.CallRef
    fixed TEXT,                         -- the same, or NULL
    note TEXT NOT NULL,
    needs_sessions INTEGER NOT NULL,
    wasted INTEGER NOT NULL,            -- characters
    opportunity INTEGER,                -- key in attempts, or NULL
    agent_specific INTEGER NOT NULL
);
CREATE INDEX evidence_of_project ON evidence (project);

CREATE TABLE learnings (
    id TEXT PRIMARY KEY,                -- short hash of project and lesson: what people type
    project INTEGER NOT NULL REFERENCES projects (id),
    section TEXT NOT NULL,
    subject TEXT NOT NULL,
    remedy TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('proposed', 'active', 'retired')),
    reason TEXT NOT NULL,               -- why it is not active; '' where it is
    sessions INTEGER NOT NULL,          -- distinct ones that show it
    calls INTEGER NOT NULL,             -- distinct failed calls that show it
    agents TEXT NOT NULL,               -- JSON list of those that saw it
    first_seen REAL NOT NULL,
    last_seen REAL NOT NULL,
    wasted INTEGER NOT NULL,            -- characters
    note TEXT NOT NULL,                 -- of its newest evidence
    agent_specific INTEGER NOT NULL,
    origin TEXT NOT NULL DEFAULT 'correlation',
    pinned INTEGER NOT NULL DEFAULT 0,
    wording TEXT NOT NULL DEFAULT '',   -- the user's own words for it; '' for ours
    UNIQUE (project, section, subject, remedy)
) WITHOUT ROWID;

-- The journal: every write of a block, with the whole file before and after.
CREATE TABLE writes (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,               -- the writes of one `apply` share it
    at REAL NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('done', 'undone')),
    project TEXT NOT NULL,
    agents TEXT NOT NULL,               -- JSON list of those that load the file
    path TEXT NOT NULL,
    before BLOB,                        -- zlib; NULL: there was no file
    after BLOB,                         -- zlib; NULL: the file was removed
    block_hash TEXT NOT NULL,           -- of the block as written, by which a user's edits are known
    reason TEXT NOT NULL
);
CREATE INDEX writes_of_path ON writes (path, id);

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
