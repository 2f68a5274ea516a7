"""gyakusatsu: Fedora in WSL2; over SSH as the host gyakusatsu, where Windows forwards the port.

AT_GYAKUSATSU=[user@]host[:port] names another address, AT_GYAKUSATSU= this machine.
"""

from tasks.reach.connection import workspace

hosts = [
    workspace(
        "gyakusatsu",
        at="gyakusatsu",
        profile="inventory/hardware/gyakusatsu.yaml",
        user="mitsio",
        base_home="~/.config/home-manager",
    )
]
