-- A database of version 2, as `.dump` writes it; the pragmas are not part of a dump.
PRAGMA application_id = 1449227618;
PRAGMA user_version = 2;
BEGIN TRANSACTION;
CREATE TABLE ban (
    id        INTEGER PRIMARY KEY,
    subject   BLOB NOT NULL,     -- first address: 4 or 16 bytes
    length    INTEGER NOT NULL,  -- of the prefix, in bits
    source    BLOB NOT NULL,     -- the address that was seen
    level     INTEGER NOT NULL,  -- the how-manieth ban of this subject
    origin    TEXT NOT NULL,     -- scan, operator
    why       TEXT NOT NULL,     -- the cause, or the operator's words
    proven    INTEGER NOT NULL,  -- 1: the source had proven its address
    starts    INTEGER NOT NULL,  -- all times: milliseconds since 1970
    ends      INTEGER,           -- NULL: never
    not_kept  INTEGER NOT NULL,  -- packets that counted and have no row in evidence
    ended_at  INTEGER,           -- NULL: in force
    ended_how TEXT
, boot TEXT, mono_start INTEGER, mono_end INTEGER, seal INTEGER) STRICT;
INSERT INTO ban VALUES(1,X'C0000207',32,X'C0000207',1,'scan','proven-ports 3',1,1795258800000,1795262000000,0,1795262000000,'expired',NULL,NULL,NULL,875187067649176257);
INSERT INTO ban VALUES(2,X'C0000207',32,X'C0000207',2,'scan','trap-port tcp/23',0,1795262100000,1795269300000,4,NULL,NULL,'01234567-89ab-cdef-0123-456789abcdef',3300000,10500000,-954283620823283085);
INSERT INTO ban VALUES(3,X'20010DB8000000000000000000000000',64,X'20010DB8000000000000000000000005',1,'operator','noisy',0,1795262200000,NULL,0,NULL,NULL,'01234567-89ab-cdef-0123-456789abcdef',3300000,NULL,-2094496216802078950);
CREATE TABLE evidence (
    ban         INTEGER NOT NULL REFERENCES ban ON DELETE CASCADE,
    n           INTEGER NOT NULL,  -- oldest first
    at          INTEGER NOT NULL,
    source      BLOB NOT NULL,
    source_port INTEGER NOT NULL,
    destination BLOB NOT NULL,
    port        TEXT NOT NULL,     -- tcp/22
    flags       TEXT NOT NULL,     -- SYN+ACK, none
    meaning     TEXT NOT NULL,
    decoy       INTEGER NOT NULL,
    said        BLOB NOT NULL,
    bytes       BLOB NOT NULL,
    PRIMARY KEY (ban, n)
) STRICT, WITHOUT ROWID;
INSERT INTO evidence VALUES(2,0,1795262100000,X'C0000207',40000,X'C6336401','tcp/23','SYN','trap-port',0,X'',X'4500');
CREATE UNIQUE INDEX ban_of_subject ON ban (subject, length) WHERE ended_at IS NULL;
CREATE INDEX ban_ended ON ban (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX ban_ended_of_subject ON ban (subject, length, ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX ban_in_force ON ban (id) WHERE ended_at IS NULL;
COMMIT;
