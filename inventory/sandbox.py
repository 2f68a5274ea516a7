"""sandbox: a complete workspace in one directory, to try things (SANDBOX, default .sandbox)."""

import sandbox

hosts = [("@local", sandbox.data(sandbox.place()))]
