"""Whole machines: Debian 13 in QEMU, started by systemd-boot or by GRUB, in software.

``image`` makes their disks once, ``machine`` switches one on. ``make vm`` runs all of these tests,
``.ci/run`` those that are marked ``small``; ``make test`` leaves the directory out.
"""
