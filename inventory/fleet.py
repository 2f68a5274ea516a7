"""All workspaces, each reached as its own file says. ``--limit`` picks some of them."""

from inventory import gyakusatsu, kinoite, shoshin
from tasks.reach.connection import fleet

hosts = fleet(*shoshin.hosts, *kinoite.hosts, *gyakusatsu.hosts)
