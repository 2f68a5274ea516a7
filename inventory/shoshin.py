"""shoshin: the NixOS workstation, Plasma 6 on X11. AT_SHOSHIN=[user@]host[:port] for SSH."""

from tasks.reach.connection import workspace

hosts = [
    workspace(
        "shoshin",
        profile="inventory/hardware/shoshin.yaml",
        user="mitsio",
        base_nixos="/etc/nixos",
        base_home="~/.config/home-manager",
    )
]
