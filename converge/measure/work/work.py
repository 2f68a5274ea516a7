"""Python: calls, dictionaries, JSON, a regular expression, integer arithmetic."""

import json
import re

Tree = list["Tree"]


def tree(depth: int) -> Tree:
    return [] if depth == 0 else [tree(depth - 1), tree(depth - 1)]


def count(node: Tree) -> int:
    return 1 + sum(count(child) for child in node)


words = [str(i * 7919 % 10007) for i in range(300000)]
table: dict[str, int] = {}
for word in words:
    table[word] = table.get(word, 0) + 1
text = json.dumps(sorted(table.items()))
print(count(tree(16)), len(json.loads(text)), len(re.findall(r"[1-9]+7", text)))
print(sum(i * i % 7 for i in range(2500000)))
