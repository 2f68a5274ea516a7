/* SQLite: fill, index, scan, join and group 300 000 rows in memory. */
CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER, b TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)
INSERT INTO t SELECT i, i * 7919 % 100003, 'row ' || (i * 31 % 997) || ' of ' || i FROM n;
CREATE INDEX by_a ON t(a);
SELECT count(*), sum(a) FROM t WHERE b LIKE '%7 of 1%';
SELECT count(*) FROM t x JOIN t y ON y.a = x.a + 1 WHERE x.id < 150000;
SELECT b, count(*) FROM t GROUP BY substr(b, 1, 6) ORDER BY 2 DESC, 1 LIMIT 5;
