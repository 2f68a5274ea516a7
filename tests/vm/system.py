"""Generations, the boot menu, and the machine as a workspace."""

from __future__ import annotations

import json
import re

from tests.vm.remote import Remote

USER, HOST = "mitsio", "shoshin"
PROFILE = "/nix/var/nix/profiles/system"
#: What of the home and of the layer is the user's, or has to go back: not the record of the runs,
#: and not what Nix and home-manager note for themselves (the generation that was undone stays one).
FILES = """\
cd /
find home/mitsio var/lib/workspace-tuning/nixos etc/nixos -xdev \\
    \\( -path '*/.local/state/workspace-tuning' -o -path '*/.cache' -o -path '*/.nix-defexpr' \\
    -o -path '*/.local/state/home-manager' \\
    -o -path '*/nix/profiles/home-manager-*-link' \\) -prune -o \\
    \\( -type f -exec sha256sum {} + -o -type l -printf '%l  %p\\n' \\) 2>/dev/null | sort
"""


class System(Remote):
    """A NixOS in miniature; ``loader`` is systemd-boot or grub."""

    loader: str

    def generations(self) -> dict[int, str]:
        """Number and system of each generation of the system's profile."""
        text = self.sh(f"for l in {PROFILE}-*-link; do echo $l $(readlink -f $l); done")
        pairs = (line.split() for line in text.splitlines())
        return {int(link.split("-")[-2]): system for link, system in pairs}

    def booted_generation(self) -> int:
        """The number of the generation that was booted."""
        system = self.ssh("readlink", "-f", "/run/booted-system")
        return next(number for number, one in self.generations().items() if one == system)

    def default_generation(self) -> int:
        """The generation that the loader starts where nobody chooses, read from its menu."""
        if self.loader == "systemd-boot":
            text = self.ssh("cat", "/boot/loader/loader.conf")
            found = re.search(r"^default nixos-generation-(\d+)\.conf$", text, re.MULTILINE)
            assert found, text
            return int(found[1])
        text = self.ssh("cat", "/boot/grub/grub.cfg")
        found = re.search(r'"NixOS - Default".*?init=(\S+)/init', text, re.DOTALL)
        assert found, text
        return next(n for n, system in self.generations().items() if system == found[1])

    def entries(self) -> dict[int, str]:
        """What the loader calls each generation: for ``bootctl set-oneshot``, ``grub-reboot``."""
        if self.loader == "systemd-boot":
            names = self.ssh("ls", "/boot/loader/entries").split()
            return {int(re.sub(r"\D", "", name.split("+")[0])): name for name in names}
        text = self.ssh("cat", "/boot/grub/grub.cfg")
        titles = re.findall(r'^menuentry "(NixOS - Configuration (\d+) [^"]*)"', text, re.MULTILINE)
        return {int(number): f"NixOS - All configurations>{title}" for title, number in titles}

    def plant(self, *parameters: str, initrd: str = "initrd") -> None:
        """Change the user's own flake: systems that are built from now on have these parameters of
        the kernel at the end of theirs, and this initrd (``initrd-hung`` never ends)."""
        text = json.dumps({"kernelParams": list(parameters), "initrd": initrd})
        self.ssh("sh", "-c", "cat >/etc/nixos/planted.json", stdin=text)

    def add_generation(self, *, parameters: tuple[str, ...] = (), initrd: str = "initrd") -> int:
        """Make one more generation by hand, without Nix' evaluation: a copy of the booted system
        with further parameters, and perhaps another initrd (``initrd-hung`` never ends). The menu
        lists it, the default stays."""
        old = self.ssh("readlink", "-f", "/run/booted-system")
        new = self.sh(COPY, old, initrd, *parameters)
        self.ssh("nix-env", "--profile", PROFILE, "--set", new)
        self.ssh(f"{old}/bin/switch-to-configuration", "boot")
        return max(self.generations())

    def boot_once(self, generation: int) -> None:
        """Let the next start alone be of this generation, as a person would."""
        program = ["bootctl", "set-oneshot"] if self.loader == "systemd-boot" else ["grub-reboot"]
        self.ssh(*program, self.entries()[generation])

    # -- as a workspace ---------------------------------------------------------------------

    def workspace(self, **choices: object) -> dict[str, object]:
        """Arguments of ``tasks.reach.connection.workspace``, as ``Cli.inventory`` takes them."""
        return {
            "name": HOST,
            "at": f"{USER}@127.0.0.1:{self.port}",
            "ssh_key": str(self.image.key),
            "ssh_known_hosts_file": str(self.known_hosts),
            "ssh_look_for_keys": False,
            "ssh_allow_agent": False,
            "profile": "tests/vm/shoshin.yaml",
            "user": USER,
            "base_nixos": "/etc/nixos",
            "base_home": "~/.config/home-manager",
            **choices,
        }


#: sh: a copy of system $1 with initrd $2 and further parameters $3..., as a path of the store.
COPY = """\
old=$1 initrd=$2; shift 2
copy=$(mktemp -d)/${old#/nix/store/*-}
cp -a "$old" "$copy"
chmod -R u+w "$copy"
ln -sfn "/usr/lib/miniature/$initrd" "$copy/initrd"
printf ' %s' "$@" >>"$copy/kernel-params"
date +%s%N >"$copy/copied"
cat >"$copy/init" <<'END'
#!/bin/sh
exec /usr/lib/miniature/stage-2 "$(dirname "$(readlink -f "$0")")"
END
sed -i 's#^toplevel=.*#toplevel=$(dirname "$(dirname "$(readlink -f "$0")")")#' \
    "$copy/bin/switch-to-configuration"
nix-store --add "$copy"
"""
