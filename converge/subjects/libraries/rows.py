"""Phase 1: library groups, and the strategies by which their flags reach a workspace.

Groups say *which* packages (``libraries.group.<system|home>.<group>``), strategies say *how*
(``libraries.<leaf|graft|march|overlay>.<system|home>``). ``install`` names packages whose commands
get the flags where the user has them; ``installOnNixos`` names those that on other systems would
miss their configuration or certificates. Copies under new names (leaf) cost no rebuild and go with
every other strategy; of graft, march and overlay at most one is in force. Rebuild counts were taken
by evaluating a package tree of 952 derivations that is built like nixpkgs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from converge.setting import Claim, Layer, Phase, Risk, Setting, State

_REBUILDS: Mapping[str, int] = {
    "glibc": 949,
    "zlib": 950,
    "xz": 941,
    "pcre2": 921,
    "bzip2": 918,
    "openssl": 528,
    "sqlite": 515,
    "zstd": 416,
}

_COPY = (
    "an overlay on the existing name rebuilds {rebuilt} of 952 packages; a copy under a new name "
    "(pkgs.optimized.<name>) rebuilds none, and its flags are appended to those that the package "
    "sets itself"
)


def _group(
    layer: Layer,
    name: str,
    title: str,
    packages: Sequence[str],
    *,
    says: str,
    reason: str,
    install: Sequence[str] = (),
    install_on_nixos: Sequence[str] = (),
    claim: Claim | None = None,
) -> Setting:
    where = "system" if layer is Layer.NIXOS else "home"
    return Setting(
        id=f"libraries.group.{where}.{name}",
        title=title,
        phase=Phase.LIBRARIES,
        layer=layer,
        says=says,
        state=State.CORRECTED,
        value={
            "packages": list(packages),
            "install": list(install),
            "installOnNixos": list(install_on_nixos),
        },
        check=f"flags.{where}",
        reason=reason,
        claim=claim,
    )


_GROUPS = (
    _group(
        Layer.NIXOS,
        "compression",
        "zlib with the CPU's instructions",
        ["zlib"],
        says="Phase 1: the NixOS overlay compiles zlib for the CPU, 10-20 % (MEDIUM)",
        reason=_COPY.format(rebuilt=_REBUILDS["zlib"])
        + "; the plan's snippet drops the package's own -static-libgcc",
        claim=Claim(subject="zlib compression", low=10, high=20),
    ),
    _group(
        Layer.HOME_MANAGER,
        "compression",
        "Compression libraries with the CPU's instructions",
        ["zstd", "bzip2", "xz", "lz4", "snappy"],
        install=["zstd", "bzip2", "xz", "lz4"],
        says="Phase 1: the home-manager overlay compiles zstd bzip2 xz lz4 snappy, 15-30 %",
        reason=_COPY.format(rebuilt=f"{_REBUILDS['xz']} (xz), {_REBUILDS['zstd']} (zstd)")
        + "; zstd, lz4 and snappy are built with -O3 by default",
        claim=Claim(subject="compression", low=15, high=30),
    ),
    _group(
        Layer.HOME_MANAGER,
        "crypto",
        "Cryptographic libraries with the CPU's instructions",
        ["openssl", "libgcrypt", "libsodium"],
        install_on_nixos=["openssl"],
        says="Phase 1: the home-manager overlay compiles openssl libgcrypt libsodium, 20-40 %",
        reason=_COPY.format(rebuilt=_REBUILDS["openssl"])
        + "; all three choose AES and vector code at run time already, and libgcrypt gets no -O "
        "level since its random number generator refuses to be optimized",
        claim=Claim(subject="cryptography", low=20, high=40),
    ),
    _group(
        Layer.HOME_MANAGER,
        "sqlite",
        "SQLite with the CPU's instructions",
        ["sqlite"],
        install=["sqlite-interactive"],
        says="Phase 1: the home-manager overlay compiles sqlite with FTS5 and RTREE, 15-25 %",
        reason=_COPY.format(rebuilt=_REBUILDS["sqlite"])
        + "; FTS5 and RTREE are on in nixpkgs, and the plan's snippet would switch them off, since "
        "it drops the 21 -D flags that hold them",
        claim=Claim(subject="sqlite queries", low=15, high=25),
    ),
    _group(
        Layer.HOME_MANAGER,
        "network",
        "curl and nghttp2 with the CPU's instructions",
        ["curl", "nghttp2"],
        install_on_nixos=["curl", "nghttp2"],
        says="Phase 1: the home-manager overlay compiles curl nghttp2, 10-15 %",
        reason=_COPY.format(rebuilt="373 (nghttp2)"),
        claim=Claim(subject="HTTP transfers", low=10, high=15),
    ),
    _group(
        Layer.HOME_MANAGER,
        "pcre2",
        "PCRE2 with the CPU's instructions",
        ["pcre2"],
        install=["pcre2"],
        says="Phase 1: the home-manager overlay compiles pcre2 with JIT, 15-25 %",
        reason=_COPY.format(rebuilt=_REBUILDS["pcre2"])
        + "; the JIT is on in nixpkgs and is not touched by compiler flags",
        claim=Claim(subject="regular expressions", low=15, high=25),
    ),
    _group(
        Layer.HOME_MANAGER,
        "events",
        "Event loops with the CPU's instructions",
        ["libevent", "libuv"],
        says="Phase 1, added by the plan's review: libevent and libuv",
        reason=_COPY.format(rebuilt="368 (libuv)")
        + "; neither has commands, so the copies serve what is linked against them",
    ),
    _group(
        Layer.HOME_MANAGER,
        "images",
        "Image libraries with the CPU's instructions",
        ["libjpeg_turbo", "libpng", "libwebp", "giflib"],
        install=["libjpeg_turbo", "libwebp"],
        says="Phase 1, later version: the home-manager overlay compiles the image libraries",
        reason=_COPY.format(rebuilt="105 (libpng)")
        + "; libjpeg_turbo and libwebp carry hand-written vector code chosen at run time",
    ),
    _group(
        Layer.HOME_MANAGER,
        "fonts",
        "Font libraries with the CPU's instructions",
        ["freetype", "fontconfig", "harfbuzz"],
        install_on_nixos=["fontconfig"],
        says="Phase 1, later version: the home-manager overlay compiles the font libraries",
        reason=_COPY.format(rebuilt="82 (freetype)"),
    ),
    _group(
        Layer.HOME_MANAGER,
        "documents",
        "XML and JSON libraries with the CPU's instructions",
        ["expat", "libxml2", "jansson"],
        install=["libxml2"],
        says="Phase 1, later version: the home-manager overlay compiles expat libxml2 jansson",
        reason=_COPY.format(rebuilt="501 (expat)"),
    ),
)

_LEAF_REASON = (
    "the plan overlays existing names; copies under new names rebuild nothing else, keep the "
    "binary cache, and can be taken back one by one; the gain is that of the commands and of what "
    "is linked against the copies"
)


def _leaf(layer: Layer) -> Setting:
    where = "system" if layer is Layer.NIXOS else "home"
    return Setting(
        id=f"libraries.leaf.{where}",
        title=f"Optimized copies beside the plain libraries ({where})",
        phase=Phase.LIBRARIES,
        layer=layer,
        says="Phase 1: optimized libraries through overlays",
        state=State.CORRECTED,
        value={"rebuilds": 0},
        check=f"flags.{where}",
        reason=_LEAF_REASON,
    )


def _overlay(layer: Layer, rebuilt: int, packages: str) -> Setting:
    where = "system" if layer is Layer.NIXOS else "home"
    return Setting(
        id=f"libraries.overlay.{where}",
        title=f"Optimized libraries under their own names ({where})",
        phase=Phase.LIBRARIES,
        layer=layer,
        says=f"Phase 1: the overlay replaces {packages}",
        state=State.CORRECTED,
        value={"rebuilds": rebuilt, "of": 952},
        check=f"flags.{where}",
        reason=f"rebuilds {rebuilt} of 952 packages on the workspace, on each update again: days "
        "on four cores and not the plan's 20-40 minutes, since no binary cache has them",
        risk=Risk.HIGH,
    )


_STRATEGIES = (
    _leaf(Layer.NIXOS),
    _leaf(Layer.HOME_MANAGER),
    _overlay(Layer.NIXOS, _REBUILDS["zlib"], "zlib (glibc has a consent of its own)"),
    _overlay(Layer.HOME_MANAGER, 941, "the libraries of all home groups"),
    Setting(
        id="libraries.overlay.glibc",
        title="glibc compiled for the CPU",
        phase=Phase.LIBRARIES,
        layer=Layer.NIXOS,
        says="Phase 1: the NixOS overlay compiles glibc, 3-8 % (HIGH, rebuilds everything)",
        state=State.CORRECTED,
        value={"packages": ["glibc"], "rebuilds": _REBUILDS["glibc"], "of": 952},
        check="flags.system",
        reason="with a march that the CPU lacks its loader dies before main, without a message, in "
        "every program; its hot functions are chosen at run time already, so nothing is gained. "
        "Only -march and -mtune are given to it, and only together with libraries.overlay.system",
        risk=Risk.HIGH,
        claim=Claim(subject="system calls and memory functions", low=3, high=8),
    ),
    Setting(
        id="libraries.graft.system",
        title="Named libraries exchanged in the built system",
        phase=Phase.LIBRARIES,
        layer=Layer.NIXOS,
        says="not in the plan: a way to reach its aim for single libraries",
        state=State.CORRECTED,
        value={"packages": ["zlib"]},
        check="flags.system",
        reason="the built system is read and everything that refers to the library is copied with "
        "the reference rewritten: gigabytes and minutes at every rebuild. Worth it for one to "
        "three libraries whose gain was measured",
        risk=Risk.HIGH,
    ),
    Setting(
        id="libraries.march.feature",
        title="The build daemon may build for the CPU",
        phase=Phase.LIBRARIES,
        layer=Layer.NIXOS,
        says="not in the plan: the first of two steps to a system compiled for the CPU",
        state=State.WITHHELD,
        value={},
        check="nix.features",
        reason="only libraries.march.system needs it, one generation later: the running daemon "
        "must know the feature before the first such build",
    ),
    Setting(
        id="libraries.march.system",
        title="The whole system compiled for the CPU",
        phase=Phase.LIBRARIES,
        layer=Layer.NIXOS,
        says="not in the plan: what its overlays amount to, in the form that nixpkgs supports",
        state=State.CORRECTED,
        value={"rebuilds": 950, "of": 952},
        check="flags.system",
        reason="rebuilds 950 of 952 packages without a binary cache; for those who have a build "
        "server. Needs libraries.march.feature in the running system first",
        risk=Risk.HIGH,
    ),
)


def _flag(name: str, flag: str, reason: str) -> Setting:
    return Setting(
        id=f"libraries.flag.{name}",
        title=f"Compiler flag {flag}",
        phase=Phase.LIBRARIES,
        layer=Layer.HOME_MANAGER,
        says=f"Phase 1: {flag} is among the flags of every library",
        state=State.WITHHELD,
        value={"flag": flag, "packages": ["zstd", "bzip2", "xz", "lz4"]},
        check="flags.home",
        reason=reason,
    )


_FLAGS = (
    _flag("pipe", "-pipe", "has no effect on the result"),
    _flag(
        "no-semantic-interposition",
        "-fno-semantic-interposition",
        "binds calls inside a library that other libraries rely on replacing: glibc 2.36 built "
        "with it ends the process on every failing dlopen. If forced, it is given to the copies of "
        "four compression libraries and never to glibc",
    ),
    _flag(
        "no-plt",
        "-fno-plt",
        "makes lazily bound symbols fatal at load time, which plug-ins rely on; with the immediate "
        "binding that nixpkgs uses nothing is gained. If forced, it is given to the copies of four "
        "compression libraries and never to glibc",
    ),
    Setting(
        id="libraries.mold",
        title="mold as linker of libraries",
        phase=Phase.LIBRARIES,
        layer=Layer.HOME_MANAGER,
        says='Phase 1: NIX_LDFLAGS="-fuse-ld=mold" for every library, mold where safe',
        state=State.WITHHELD,
        value={"packages": ["curl", "lz4", "libgcrypt", "libsodium", "libevent"]},
        check="flags.home",
        reason="a linker changes the time of a link, never the speed of the library. The plan's "
        "form fails every link of gcc, which then looks for ld.mold; with mold as a build tool, "
        "zstd zlib openssl sqlite nghttp2 expat libuv libxml2 would need themselves, and glibc "
        "bzip2 xz pcre2 stop the bootstrap. If forced, it links copies outside mold's own closure",
    ),
)

ROWS: tuple[Setting, ...] = (*_STRATEGIES, *_GROUPS, *_FLAGS)
