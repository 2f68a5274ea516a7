"""Cases of phase 3: limits in the kernel, flags and GPU processes of applications."""

from __future__ import annotations

from collections.abc import Mapping

from converge.proof.check import ABSENT
from converge.subjects.applications.rows import slice_name
from converge.subjects.settings import ALL, BY_ID
from tests.proof.checks import HOME, IN_USE, failing
from tests.subjects.case import GIB, MEMINFO, Case

BUDGET = "LoadState=loaded\nFragmentPath=/x\nkernel memory.high {}\n"
GPU_PROCESS = "looked\nprocess 900 5 /app.slice/x\nflag --type=gpu-process\ndriver nvidia\n"


PMON = (
    "# gpu         pid   type     sm    mem    enc    dec    jpg    ofa    command\n"
    "# Idx           #    C/G      %      %      %      %      %      %    name\n"
    "    0        900   C+G      4      0      -      -      -      -    codium\n"
)


DROP_IN = "[Service]\nSlice=x.slice\nOOMScoreAdjust=100\n"


LAUNCHER = "--use-gl=desktop --enable-features=VaapiVideoDecoder,VaapiIgnoreDriverChecks,Vulkan"


def app_case(name: str) -> Case:
    row = BY_ID[f"electron.app.{name}"].value
    assert isinstance(row, Mapping)
    unit = slice_name(name)
    group = f"/user.slice/user@1000.service/app.slice/app-tuned.slice/{unit}"

    def shown(**changes: object) -> str:
        numbers = {
            "memory.high": row["memoryHighMB"] * 1024**2,
            "memory.max": row["memoryMaxMB"] * 1024**2,
            "memory.swap.max": row["memorySwapMaxMB"] * 1024**2,
            "cpu.max": f"{row['cpuQuotaPercent'] * 1000} 100000",
            **{key.replace("_", "."): value for key, value in changes.items()},
        }
        lines = [f"Id={unit}", "LoadState=loaded", f"FragmentPath={HOME}/{unit}"]
        lines += [f"kernel {name} {value}" for name, value in numbers.items() if value is not None]
        return "\n".join(lines) + "\n"

    inside = f"since 1000\nprocess 5 2000 {group}/app-x.scope\nscore 5 100\n"
    return Case(
        good={**IN_USE, "slice": shown(), "processes": inside},
        bad={
            "MemoryMax of the kernel": {"slice": shown(memory_max="max")},
            "MemorySwapMax of the kernel": {"slice": shown(memory_swap_max=0)},
            "CPUQuota of the kernel": {"slice": shown(cpu_max="max 100000")},
            "the controller is not delegated": {
                "slice": shown(memory_high=None, memory_max=None, memory_swap_max=None)
            },
            "no such unit": {"slice": f"Id={unit}\nLoadState=not-found\nFragmentPath=\n"},
            "a slice that systemd made up": {"slice": f"Id={unit}\nLoadState=loaded\n"},
            "a process outside": {"processes": "since 1000\nprocess 9 2000 /user.slice/other\n"},
        },
    )


FEATURES = (
    "exec codium '--enable-features=VaapiVideoDecoder,VaapiIgnoreDriverChecks,Vulkan,"
    "CanvasOopRasterization'"
)
DECODING = (
    "exec discord --use-angle=gl "
    "'--enable-features=AcceleratedVideoDecodeLinuxGL,VaapiOnNvidiaGPUs'"
)

CASES: dict[str, Case] = {
    **{
        row.id: app_case(row.id.removeprefix("electron.app."))
        for row in ALL
        if row.id.startswith("electron.app.")
    },
    "electron.budget": Case(
        good={
            **IN_USE,
            ("file", "/proc/meminfo"): MEMINFO,
            "slice": BUDGET.format(int(0.62 * 16 * GIB)),
        },
        bad={
            "no limit": {"slice": BUDGET.format("max")},
            "another limit": {"slice": BUDGET.format(8 * GIB)},
            "a slice that systemd made up": {"slice": "LoadState=loaded\nFragmentPath=\n"},
        },
    ),
    "electron.oom-score": Case(
        good={
            **IN_USE,
            ("file", "50-workspace-tuning.conf"): DROP_IN,
            "processes": "since 1000\nprocess 5 2000 /app.slice/x.slice/app-discord@1.service\n"
            "score 5 100\nprocess 6 2000 /app.slice/x.slice/app-discord@1.service\nscore 6 300\n",
        },
        bad={
            "systemd's own score": {
                "processes": "since 1000\nprocess 5 2000 /app.slice/app-discord@1.service\n"
                "score 5 200\n"
            },
            "no drop-in": {("file", "50-workspace-tuning.conf"): failing(ABSENT, "no drop-in")},
        },
    ),
    "electron.flag.use-gl": Case(
        good={**IN_USE, ("file", "home-path/bin"): LAUNCHER, "gpu-processes": GPU_PROCESS},
        bad={
            "a launcher lacks it": {("file", "home-path/bin/codium"): "exec codium"},
            "a longer flag": {("file", "home-path/bin/codium"): "exec codium --use-gl=desktop-x"},
            "drawn in software": {"gpu-processes": GPU_PROCESS + "flag --use-gl=disabled\n"},
        },
    ),
    "electron.flag.features": Case(
        good={**IN_USE, ("file", "home-path/bin"): FEATURES, "gpu-processes": GPU_PROCESS},
        bad={
            "switched off after it": {
                ("file", "home-path/bin/codium"): f"{FEATURES} --disable-features=Vulkan"
            },
            "another list after it": {
                ("file", "home-path/bin/codium"): f"{FEATURES} --enable-features=Other"
            },
        },
    ),
    "electron.video-decoding": Case(
        good={**IN_USE, ("file", "home-path/bin"): DECODING, "gpu-processes": GPU_PROCESS},
        bad={
            "one launcher lacks it": {("file", "home-path/bin/Discord"): "exec discord"},
            "switched off after it": {
                (
                    "file",
                    "home-path/bin/Discord",
                ): f"{DECODING} --disable-features=VaapiOnNvidiaGPUs"
            },
            "drawn in software": {"gpu-processes": GPU_PROCESS + "flag --use-gl=disabled\n"},
        },
    ),
    "electron.launchers": Case(
        good={
            ("file", "home-path/bin/Discord"): f"exec systemd-run --slice={slice_name('discord')}",
            (
                "file",
                "discord.desktop",
            ): "[Desktop Entry]\nExec=/nix/store/x-home-manager-path/bin/Discord %U\n",
        },
        bad={
            "the plain program": {("file", "home-path/bin/Discord"): "\x7fELF"},
            "the entry starts the plain one": {
                ("file", "discord.desktop"): "[Desktop Entry]\nExec=Discord %U\n"
            },
            "a shell starts it": {
                ("file", "discord.desktop"): "[Desktop Entry]\nExec=sh -c 'Discord %U'\n"
            },
            "it is quoted behind env": {
                (
                    "file",
                    "discord.desktop",
                ): '[Desktop Entry]\nExec=env -u A "/nix/store/x/bin/Discord" %U\n'
            },
        },
    ),
    "electron.gpu-process": Case(
        good={"gpu-processes": GPU_PROCESS},
        bad={
            "drawn in software": {"gpu-processes": GPU_PROCESS + "flag --use-gl=disabled\n"},
            "drawn by swiftshader": {
                "gpu-processes": GPU_PROCESS + "flag --use-angle=swiftshader-webgl\n"
            },
            "another driver": {"gpu-processes": GPU_PROCESS.replace("driver nvidia\n", "")},
        },
    ),
    "electron.pmon": Case(
        good={"gpu-processes": GPU_PROCESS, "pmon": PMON},
        bad={"it is not on the GPU": {"pmon": PMON.replace(" 900 ", " 901 ")}},
    ),
    "limits.kills": Case(
        good={"slice": "LoadState=loaded\nkernel memory.max 1\nkernel oom_kill 0\n"},
        bad={
            "ended at its limit": {
                (
                    "slice",
                    slice_name("zoom"),
                ): "LoadState=loaded\nkernel memory.max 1\nkernel oom_kill 2\n"
            }
        },
    ),
}
