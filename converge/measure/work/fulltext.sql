/* SQLite: index 160 000 short texts with FTS5 and search them. */
CREATE VIRTUAL TABLE f USING fts5(b);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 160000)
INSERT INTO f SELECT 'word' || (i * 31 % 997) || ' word' || (i * 7 % 4999) || ' tail' FROM n;
SELECT count(*) FROM f WHERE f MATCH 'word3* AND word5*';
