"""Phase 4, layer plasma: entries of kwinrc, baloofilerc and kdeglobals, each key by itself.

``defaults``: KDE's own defaults, where KDE drops an entry that equals its default.
"""

from __future__ import annotations

from converge.setting import Claim, Layer, Phase, Risk, Setting, State


def _row(
    *,
    id: str,
    title: str,
    says: str,
    state: State,
    file: str,
    group: str,
    entries: dict[str, str],
    defaults: dict[str, str] | None = None,
    reason: str = "",
    claim: Claim | None = None,
    needs: frozenset[str] = frozenset({"kwin"}),
    forcible: bool = True,
    risk: Risk = Risk.LOW,
    evidence: tuple[str, ...] = (),
    gain: str = "",
) -> Setting:
    return Setting(
        id=id,
        title=title,
        phase=Phase.DESKTOP,
        layer=Layer.PLASMA,
        says=says,
        state=state,
        reason=reason,
        value={
            "file": file,
            "entries": {
                group: {
                    key: {"value": text, "default": defaults[key]} if defaults else text
                    for key, text in entries.items()
                }
            },
        },
        check=id,
        risk=risk,
        claim=claim,
        needs=needs,
        forcible=forcible,
        evidence=evidence,
        gain=gain,
    )


_KWIN_MEMORY = Claim(subject="kwin memory", low=30, high=40)
#: The plan names no setting for it; of its entries plasmashell reads those of kdeglobals alone.
_SHELL_MEMORY = Claim(subject="plasmashell memory", low=25, high=35)
_BALOO = frozenset({"baloo"})

ROWS: tuple[Setting, ...] = (
    _row(
        id="kwin.backend",
        title="KWin composites with OpenGL",
        says="kwinrc [Compositing] Backend=OpenGL",
        state=State.APPLIED,
        file="kwinrc",
        group="Compositing",
        entries={"Backend": "OpenGL"},
        defaults={"Backend": "OpenGL"},
        needs=frozenset({"kwin", "x11"}),
    ),
    _row(
        id="kwin.buffer-swap",
        title="KWin chooses how it swaps buffers",
        says="kwinrc [Compositing] GLPreferBufferSwap=a",
        state=State.APPLIED,
        file="kwinrc",
        group="Compositing",
        entries={"GLPreferBufferSwap": "a"},
        defaults={"GLPreferBufferSwap": "a"},
        needs=frozenset({"kwin", "x11"}),
    ),
    _row(
        id="kwin.windows-block",
        title="A full-screen program may suspend compositing",
        says="kwinrc [Compositing] WindowsBlockCompositing=true",
        state=State.APPLIED,
        file="kwinrc",
        group="Compositing",
        entries={"WindowsBlockCompositing": "true"},
        defaults={"WindowsBlockCompositing": "true"},
        needs=frozenset({"kwin", "x11"}),
    ),
    _row(
        id="kwin.gl-core",
        title="KWin asks for an OpenGL core profile",
        says="kwinrc [Compositing] GLCore=true",
        state=State.WITHHELD,
        reason="no longer read: removed in KWin 5.24",
        file="kwinrc",
        group="Compositing",
        entries={"GLCore": "true"},
    ),
    _row(
        id="kwin.texture-filter",
        title="KWin filters textures",
        says="kwinrc [Compositing] GLTextureFilter=1",
        state=State.WITHHELD,
        reason="read but unused since KWin 5.25",
        file="kwinrc",
        group="Compositing",
        entries={"GLTextureFilter": "1"},
    ),
    _row(
        id="desktop.animation-speed",
        title="Animations take half the time",
        says="kwinrc [Compositing] AnimationDurationFactor=0.5",
        state=State.CORRECTED,
        reason="KWin reads the factor from kdeglobals [KDE]; in kwinrc it has no effect",
        file="kdeglobals",
        group="KDE",
        entries={"AnimationDurationFactor": "0.5"},
        claim=_SHELL_MEMORY,
    ),
    _row(
        id="kwin.contrast",
        title="KWin's background contrast effect is off",
        says="kwinrc [Plugins] contrastEnabled=false",
        state=State.APPLIED,
        file="kwinrc",
        group="Plugins",
        entries={"contrastEnabled": "false"},
        claim=_KWIN_MEMORY,
    ),
    _row(
        id="kwin.blur",
        title="KWin's blur effect is on",
        says="kwinrc [Plugins] blurEnabled=true",
        state=State.APPLIED,
        file="kwinrc",
        group="Plugins",
        entries={"blurEnabled": "true"},
        defaults={"blurEnabled": "true"},
    ),
    _row(
        id="kwin.wobbly-windows",
        title="KWin's wobbly windows are off",
        says="kwinrc [Plugins] wobblywindowsEnabled=false",
        state=State.APPLIED,
        file="kwinrc",
        group="Plugins",
        entries={"wobblywindowsEnabled": "false"},
        defaults={"wobblywindowsEnabled": "false"},
    ),
    _row(
        id="kwin.magic-lamp",
        title="KWin's magic lamp is off",
        says="kwinrc [Plugins] magiclampEnabled=false",
        state=State.APPLIED,
        file="kwinrc",
        group="Plugins",
        entries={"magiclampEnabled": "false"},
        defaults={"magiclampEnabled": "false"},
    ),
    _row(
        id="baloo.basic-indexing",
        title="Baloo indexes names, not contents",
        says="baloofilerc [General] only basic indexing=true",
        state=State.APPLIED,
        file="baloofilerc",
        group="General",
        entries={"only basic indexing": "true"},
        claim=Claim(subject="baloo memory", low=40, high=50),
        needs=_BALOO,
    ),
    _row(
        id="baloo.hidden-folders",
        title="Baloo leaves hidden folders out",
        says="baloofilerc [General] index hidden folders=false",
        state=State.APPLIED,
        file="baloofilerc",
        group="General",
        entries={"index hidden folders": "false"},
        defaults={"index hidden folders": "false"},
        needs=_BALOO,
    ),
    _row(
        id="baloo.exclude-folders",
        title="Baloo leaves caches and build trees out",
        says="baloofilerc [General] exclude folders[$e]=$HOME/.cache,… eight folders",
        state=State.APPLIED,
        file="baloofilerc",
        group="General",
        entries={
            "exclude folders[$e]": ",".join(
                (
                    "$HOME/.cache",
                    "$HOME/.local/share/Trash",
                    "$HOME/.nix-profile",
                    "$HOME/.nix-defexpr",
                    "/nix/store",
                    "$HOME/node_modules",
                    "$HOME/.cargo",
                    "$HOME/.rustup",
                )
            )
        },
        needs=_BALOO,
    ),
    _row(
        id="baloo.off",
        title="No index of files at all",
        says="not in the plan",
        state=State.OFFERED,
        file="baloofilerc",
        group="Basic Settings",
        entries={"Indexing-Enabled": "false"},
        needs=_BALOO,
        reason="what Baloo holds and reads is free for applications: KDE's own switch (System "
        "Settings, Search; baloosettings.kcfg, read 2026-11). KRunner, the start menu and Dolphin "
        "then find no file by name or content, so it wants consent",
        risk=Risk.HIGH,
        evidence=(
            "https://invent.kde.org/frameworks/baloo/-/blob/master/src/lib/baloosettings.kcfg",
        ),
        gain="no figure: what baloo_file held was 7 MB in the session that was measured",
    ),
)
