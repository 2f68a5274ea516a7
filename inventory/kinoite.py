"""kinoite: Fedora Atomic with Nix, home-manager and Plasma; over SSH as the host kinoite.

AT_KINOITE=[user@]host[:port] names another address, AT_KINOITE= this machine.
"""

from tasks.reach.connection import workspace

hosts = [
    workspace(
        "kinoite",
        at="kinoite",
        profile="inventory/hardware/kinoite.yaml",
        user="mitsio",
        base_home="~/.config/home-manager",
    )
]
