"""The hardware that was found on a machine. ``None`` means: not seen. It never means: absent.

``converge.gate.detect`` makes a ``Machine`` from the output of ``remote/detect.sh``;
``converge.gate.gate`` compares it with a profile.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class FoundGpu:
    """A display controller on the PCI bus; ids are four lower-case hexadecimal digits."""

    slot: str
    vendor: str
    device: str
    driver: str = ""  # kernel driver that holds the card now; empty: none
    removable: bool = False  # behind a port for cables, such as Thunderbolt
    is_display: bool = True  # PCI class 0300 (VGA) or 0301 (XGA)
    boot_vga: bool | None = None  # whether the firmware drew on the card; None: not known
    connectors: tuple[tuple[str, str], ...] = ()  # name; connected, disconnected or unknown

    @property
    def pci_id(self) -> str:
        return f"{self.vendor}:{self.device}"

    @property
    def connected(self) -> tuple[str, ...]:
        """Connectors with a display."""
        return tuple(name for name, status in self.connectors if status == "connected")


@dataclass(frozen=True, kw_only=True)
class NvidiaGpu:
    """What nvidia-smi says of a GPU. ``memory_mb`` in MiB."""

    name: str
    compute_capability: str
    driver: str
    memory_mb: int | None = None
    pci_id: str = ""


@dataclass(frozen=True, kw_only=True)
class BlockDevice:
    """A whole disk. ``size_gb`` in 10^9 bytes; the kernel offers ``schedulers`` and uses
    ``scheduler``."""

    name: str
    kind: str  # nvme, ssd, hdd, emmc, virtual, unknown
    size_gb: int
    schedulers: tuple[str, ...] = ()
    scheduler: str = ""
    removable: bool = False
    model: str = ""


@dataclass(frozen=True, kw_only=True)
class ZramDevice:
    """A zram device. ``size_bytes``: the limit of its uncompressed content; 0: not set up."""

    name: str
    size_bytes: int
    algorithm: str


@dataclass(frozen=True, kw_only=True)
class SwapArea:
    """An area in use for swap."""

    file: str
    size_kib: int
    priority: int


@dataclass(frozen=True, kw_only=True)
class Machine:
    """All facts of one machine."""

    arch: str | None = None  # uname -m
    kernel: str | None = None  # uname -r
    platform: str | None = None  # nixos, ostree, wsl, linux
    cpu_vendor: str | None = None  # intel, amd, or what cpuinfo says
    cpu_model: str | None = None
    cpu_family: int | None = None  # the numbers of cpuinfo
    cpu_number: int | None = None
    cpu_flags: frozenset[str] | None = None  # those that every logical CPU has
    cores: int | None = None
    threads: int | None = None
    memory_kib: int | None = None  # what the kernel manages
    module_bytes: int | None = None  # sum of the memory modules
    module_type: str | None = None
    swaps: tuple[SwapArea, ...] = ()
    zram: tuple[ZramDevice, ...] = ()
    gpus: tuple[FoundGpu, ...] | None = None  # None: the PCI bus could not be seen
    nvidia: tuple[NvidiaGpu, ...] = ()
    nvidia_driver: str | None = None  # version of the loaded module
    nvidia_open: bool | None = None  # whether the loaded module is the open one
    disks: tuple[BlockDevice, ...] = ()
    system_disks: tuple[BlockDevice, ...] = ()  # below the root file system and /nix; (): not seen
    session_type: str | None = None  # of the running graphical session
    desktop: str | None = None  # plasma6, plasma5, none, or another one's name
    plasma: str | None = None  # release of Plasma that is installed
    x11_offered: bool | None = None  # whether an X11 session is installed
    container: bool = False
    unseen: tuple[str, ...] = field(default=(), compare=False)  # sentences: what, and why

    @property
    def memory_gb(self) -> int | None:
        """Installed memory in GiB: the modules where they are known, else the kernel's, rounded up.

        The kernel's figure lacks what firmware and an integrated GPU keep for themselves.
        """
        if self.module_bytes:
            return max(1, self.module_bytes >> 30)
        return None if self.memory_kib is None else -(-self.memory_kib // (1 << 20))

    @property
    def usable_gb(self) -> int | None:
        """Memory for programs in GiB: the kernel's figure where it is less than what is installed.
        An integrated GPU, or the other domains of Xen, can hold the larger part."""
        kernel = None if self.memory_kib is None else -(-self.memory_kib // (1 << 20))
        known = [size for size in (self.memory_gb, kernel) if size is not None]
        return min(known) if known else None

    @property
    def zram_swaps(self) -> tuple[ZramDevice, ...]:
        """The zram devices that are swapped to. One can also hold a file system."""
        files = {area.file for area in self.swaps}
        return tuple(one for one in self.zram if one.size_bytes and f"/dev/{one.name}" in files)

    def percent_of_memory(self, device: ZramDevice) -> int | None:
        """The size of a zram device as NixOS and zram-generator reckon: of what the kernel
        manages, not of what is installed."""
        return round(100 * device.size_bytes / (self.memory_kib << 10)) if self.memory_kib else None

    def nvidia_of(self, gpu: FoundGpu) -> NvidiaGpu | None:
        """What nvidia-smi says of a card: the line with its PCI id, or a line without a PCI id
        where the machine has one NVIDIA card only. None where it says nothing."""
        if gpu.vendor != "10de":
            return None
        own = [one for one in self.nvidia if one.pci_id == gpu.pci_id]
        alone = sum(one.vendor == "10de" for one in self.gpus or ()) == 1
        return next(iter(own or [one for one in self.nvidia if alone and not one.pci_id]), None)
