"""Cases of phases 1 and 2: flags in derivations, runtimes that start."""

from __future__ import annotations

import json
from collections.abc import Mapping

from converge.proof.check import ABSENT
from converge.subjects.settings import ALL
from tests.proof.checks import IN_USE, Replies, failing
from tests.subjects.case import NIX_CONFIG, WITHOUT_LAYER, Case, environment

DERIVATION = "/nix/store/" + "0" * 31 + "{}-{}.drv"


def installs(value: Mapping[str, object]) -> tuple[str, ...]:
    found = value.get("install", ())
    return tuple(found) if isinstance(found, list) else ()


def report(*, strategy: str = "leaf", **changes: Mapping[str, object]) -> str:
    """A layer's report in which every package of every group has its flags."""
    names = sorted(
        {
            name
            for setting in ALL
            if setting.id.startswith(("libraries.group", "libraries.overlay", "libraries.graft"))
            or setting.id.startswith(("libraries.flag", "libraries.mold"))
            for name in (setting.value if isinstance(setting.value, Mapping) else {}).get(
                "packages", ()
            )
        }
        | {
            name
            for setting in ALL
            if isinstance(setting.value, Mapping)
            for name in installs(setting.value)
        }
    )
    flags = ["-march=skylake", "-mtune=skylake", "-O3", "-pipe", "-fno-plt"]
    flags.append("-fno-semantic-interposition")
    packages: dict[str, dict[str, object]] = {
        name: {
            "wanted": flags[:3],
            "found": flags,
            "kept": [],
            "missing": [],
            "lost": [],
            "link": ["-fuse-ld=mold"],
            "drvPath": DERIVATION.format(number % 10, name),
        }
        for number, name in enumerate(names)
    }
    runtime = {"drvPath": "/nix/store/x.drv", "flags": " ".join(flags[:3])}
    runtimes: dict[str, dict[str, object]] = {
        "python": {**runtime, "version": "3.13.11", "goamd64": None, "profileGuided": True},
        "node": {**runtime, "version": "24.18.0", "goamd64": None, "profileGuided": False},
        "go": {**runtime, "version": "1.26.3", "goamd64": "v3", "profileGuided": False},
    }
    for name, change in changes.items():
        (packages[name] if name in packages else runtimes[name]).update(change)
    kept = {"adopted", "left", "lacking"}
    had = {
        name: {"adopted": [one], "left": [], "lacking": False}
        | {k: one[k] for k in kept & one.keys()}
        for name, one in runtimes.items()
    }
    data = {"strategy": strategy, "absent": [], "packages": packages, "runtimes": had}
    return json.dumps(data)


CLOSURE = "\n".join("0" * 31 + str(number) for number in range(10)) + "\n"


LIBRARIES: Replies = {**IN_USE, "nix-report": report(), "closure": CLOSURE}


def flags_case(package: str, *, strategy: str = "leaf") -> Case:
    return Case(
        good={**LIBRARIES, "nix-report": report(strategy=strategy)},
        bad={
            "a flag is missing": {
                "nix-report": report(strategy=strategy, **{package: {"missing": ["-O3"]}})
            },
            "a later flag replaces it": {
                "nix-report": report(
                    strategy=strategy, **{package: {"found": ["-march=skylake", "-march=x86-64"]}}
                )
            },
            "the package lost its own": {
                "nix-report": report(strategy=strategy, **{package: {"lost": ["-static-libgcc"]}})
            },
            "a generation without the layer": WITHOUT_LAYER,
        },
    )


#: What the home gives to login shells.
VARIABLES = "etc/profile.d/hm-session-vars.sh"

CASES: dict[str, Case] = {
    "commands.basic": Case(
        good={"commands": "ok ls\nok cat\nok grep\nok git\n"},
        bad={
            "a wrong answer": {
                "commands": "ok ls\nok cat\nwrong grep Illegal instruction\nok git\n"
            },
            "no answer": {"commands": "ok ls\nok cat\nok git\n"},
        },
    ),
    "nix.build": Case(
        good={"build": "path /nix/store/x-workspace-check\ntext built\n"},
        bad={
            "it fails": {"build": failing(1, "error: builder failed with exit code 132")},
            "an empty result": {"build": "path /nix/store/x-workspace-check\ntext \n"},
        },
    ),
    "libraries.leaf.system": flags_case("zlib"),
    "libraries.leaf.home": flags_case("zstd"),
    "libraries.group.home.compression": Case(
        good=LIBRARIES,
        bad={
            "a flag is missing": {"nix-report": report(xz={"missing": ["-march=skylake"]})},
            "other builds are installed": {"closure": "1" * 32 + "\n"},
            "a generation without the layer": WITHOUT_LAYER,
        },
    ),
    "libraries.group.system.compression": flags_case("zlib"),
    "libraries.flag.no-plt": Case(
        good=LIBRARIES, bad={"not among the flags": {"nix-report": report(lz4={"found": ["-O3"]})}}
    ),
    "libraries.mold": Case(
        good=LIBRARIES, bad={"linked by another": {"nix-report": report(curl={"link": []})}}
    ),
    "libraries.graft.system": Case(
        good={**LIBRARIES, "nix-report": report(strategy="graft")},
        bad={"another strategy": {"nix-report": report(strategy="leaf")}},
    ),
    "libraries.march.feature": Case(
        good={**IN_USE, "nix-config": NIX_CONFIG},
        bad={
            "the daemon does not know it": {
                "nix-config": NIX_CONFIG.replace(" gccarch-skylake", "")
            }
        },
    ),
    "runtimes.python": Case(
        good={
            **LIBRARIES,
            "program": json.dumps(
                {"version": "3.13.11", "arguments": "'--enable-optimizations' '--with-lto'"}
            ),
        },
        bad={
            "the derivation lacks it": {"nix-report": report(python={"profileGuided": False})},
            "an environment of the user's own": {
                "nix-report": report(python={"adopted": [], "left": ["python3-3.13.11-env"]})
            },
            "asked for, and nixpkgs has none": {
                "nix-report": report(python={"adopted": [], "lacking": True})
            },
            "the python3 in use lacks it": {
                "program": json.dumps({"version": "3.13.5", "arguments": "'--with-lto'"})
            },
            "it does not start": {"program": failing(132, "Illegal instruction")},
        },
    ),
    "runtimes.node": Case(
        good={**LIBRARIES, "program": json.dumps({"version": "24.18.0", "v8": "13.6"})},
        bad={
            "the derivation lacks the flag": {"nix-report": report(node={"flags": "-O2"})},
            "a later flag replaces it": {
                "nix-report": report(node={"flags": "-march=skylake -march=x86-64"})
            },
            "another node": {"program": json.dumps({"version": "22.1.0", "v8": "12"})},
            "it does not start": {"program": failing(132, "Illegal instruction")},
        },
    ),
    "runtimes.node.jemalloc": Case(
        good={**LIBRARIES, "program": "2\n"},
        bad={"it does not start": {"program": failing(127, "libjemalloc.so: cannot open")}},
    ),
    "runtimes.rust": Case(
        good={
            **IN_USE,
            ("file", VARIABLES): 'export CARGO_BUILD_RUSTFLAGS="-C target-cpu=skylake"\n',
            "fresh": "fresh\n",
        },
        bad={
            "no shell has it": {("file", VARIABLES): failing(ABSENT, "hm-session-vars.sh")},
            "another CPU": {
                ("file", VARIABLES): 'export CARGO_BUILD_RUSTFLAGS="-C target-cpu=znver3"\n'
            },
            "a CPU whose name begins alike": {
                ("file", VARIABLES): 'export CARGO_BUILD_RUSTFLAGS="-C target-cpu=skylake-avx512"\n'
            },
            "another CPU after it": {
                ("file", VARIABLES): "export CARGO_BUILD_RUSTFLAGS="
                '"-C target-cpu=skylake -C target-cpu=x86-64"\n'
            },
            "a variable takes its place": {"fresh": environment("RUSTFLAGS=-g", first="fresh")},
            "a variable of login shells takes its place": {
                ("file", VARIABLES): 'export CARGO_BUILD_RUSTFLAGS="-C target-cpu=skylake"\n'
                'export RUSTFLAGS="-g"\n'
            },
            "flags of what may be this machine take its place": {
                ("file", "/.cargo/config.toml"): '[target."cfg(unix)"]\nrustflags = ["-g"]\n'
            },
            "flags of a target take its place": {
                ("file", "/.cargo/config.toml"): "[target.x86_64-unknown-linux-gnu]\n"
                'rustflags = ["-g"]\n'
            },
        },
    ),
    "runtimes.go": Case(
        good={**LIBRARIES, "program": "v3\n"},
        bad={
            "the derivation lacks it": {"nix-report": report(go={"goamd64": None})},
            "the go in use is another": {"program": "v1\n"},
        },
    ),
    "runtimes.go.builds": Case(
        good={**LIBRARIES, "program": "v3\n", "fresh": "fresh\n"},
        bad={
            "a variable decides": {"program": "v1\n"},
            "a variable of the session": {"fresh": environment("GOAMD64=v1", first="fresh")},
            "a variable of login shells": {("file", VARIABLES): 'export GOAMD64="v2"\n'},
            "a level of the user's own": {("file", "/go/env"): "GOPRIVATE=x\nGOAMD64=v2\n"},
        },
    ),
}
