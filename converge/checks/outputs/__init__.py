"""Parsers: the output of one program goes in, plain data comes out.

Each raises ``Unreadable`` for what its program never prints, so that nothing is proved by it.
"""
