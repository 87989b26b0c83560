-- What the daemon has to do, so that it does not matter when it dies.

-- One row a session file that the daemon has seen. Facts, cursor and state change in one transaction.
CREATE TABLE jobs (
    path TEXT PRIMARY KEY,
    agent TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN (
        'open',     -- growing, or in use
        'queued',   -- closed, waiting to be read
        'leased',   -- being read
        'done',
        'nothing',  -- read; held nothing to learn
        'failed',   -- could not be read; tried again when due
        'given up'  -- could not be read, and is tried again only when it changes
    )),
    size INTEGER NOT NULL,              -- bytes, when it was last looked at
    mtime_ns INTEGER NOT NULL,          -- the same
    changed_at REAL NOT NULL,           -- when it last changed, by our clock
    due REAL NOT NULL,                  -- open: when to look again; queued, failed: when to read; leased: lease's end
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX jobs_by_state ON jobs (state, due);
CREATE INDEX jobs_of_agent ON jobs (agent);

-- Projects whose evidence, options or world changed since their learnings were last looked at.
CREATE TABLE stale_projects (
    project INTEGER PRIMARY KEY REFERENCES projects (id),
    due REAL NOT NULL                   -- in the future where bringing it up to date has just failed
);

-- When what runs by the clock is next due: timers do not survive sleep and restarts.
CREATE TABLE timetable (
    name TEXT PRIMARY KEY,
    due REAL NOT NULL,
    done_at REAL NOT NULL DEFAULT 0
) WITHOUT ROWID;
