-- What an LLM was asked, what it answered, and what became of that. Text is redacted before it gets here.

-- Whether text from the web or an MCP server had come into the session before.
ALTER TABLE evidence ADD COLUMN tainted INTEGER NOT NULL DEFAULT 0;

-- One row a question, made before it is asked.
CREATE TABLE batches (
    id TEXT PRIMARY KEY,                -- hash of what is asked: asking the same again finds this row
    project INTEGER NOT NULL REFERENCES projects (id),
    state TEXT NOT NULL CHECK (state IN (
        'waiting',  -- to be asked when due
        'answered', -- paid for; the answer is not looked through yet
        'done',
        'set aside' -- given up; the error says why
    )),
    made_at REAL NOT NULL,
    due REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    garbled INTEGER NOT NULL DEFAULT 0, -- answers of no use
    error TEXT NOT NULL DEFAULT '',     -- why the last attempt failed, in words
    answer TEXT NOT NULL DEFAULT ''     -- as it came; '' once it is looked through
) WITHOUT ROWID;
CREATE INDEX batches_of_project ON batches (project, state);

-- What a batch asks about. An item is what the analyst knows as "e1", "e2": all evidence for one lesson.
CREATE TABLE batch_evidence (
    batch TEXT NOT NULL REFERENCES batches (id),
    item INTEGER NOT NULL,
    evidence TEXT NOT NULL,             -- evidence.id; evidence may be withdrawn since
    fresh INTEGER NOT NULL,             -- 0: was in an earlier batch already, and is here so that both can be seen
    PRIMARY KEY (batch, item, evidence)
) WITHOUT ROWID;
CREATE INDEX batches_of_evidence ON batch_evidence (evidence, fresh);

-- Rules that the analyst worded and code has checked; each is a learning.
CREATE TABLE rules (
    id TEXT PRIMARY KEY,                -- of the learning
    project INTEGER NOT NULL REFERENCES projects (id),
    section TEXT NOT NULL,
    rule TEXT NOT NULL,
    needs_sessions INTEGER NOT NULL,
    tainted INTEGER NOT NULL,           -- only a person may make it active
    paths TEXT NOT NULL,                -- JSON list of the project's paths that it names
    gone TEXT NOT NULL DEFAULT ''       -- the first of them that is no longer there
) WITHOUT ROWID;
CREATE INDEX rules_of_project ON rules (project);

CREATE TABLE rule_evidence (
    rule TEXT NOT NULL REFERENCES rules (id),
    evidence TEXT NOT NULL,
    PRIMARY KEY (rule, evidence)
) WITHOUT ROWID;
CREATE INDEX rules_of_evidence ON rule_evidence (evidence);

-- Learnings whose place a rule has taken.
CREATE TABLE merges (
    learning TEXT PRIMARY KEY,
    rule TEXT NOT NULL REFERENCES rules (id)
) WITHOUT ROWID;

-- What the analyst said and code did not believe.
CREATE TABLE refusals (
    batch TEXT NOT NULL REFERENCES batches (id),
    project INTEGER NOT NULL REFERENCES projects (id),
    at REAL NOT NULL,
    rule TEXT NOT NULL,                 -- shortened
    reason TEXT NOT NULL
);
CREATE INDEX refusals_of_project ON refusals (project, at);

CREATE TABLE spending (
    day TEXT NOT NULL,                  -- YYYY-MM-DD, UTC
    backend TEXT NOT NULL,
    model TEXT NOT NULL,
    calls INTEGER NOT NULL,             -- failed ones, too
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    PRIMARY KEY (day, backend, model)
) WITHOUT ROWID;
