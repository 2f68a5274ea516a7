# kde FILE GROUP KEY: as an application would read it, the system's files included
probe_kde() {
    reader=$(command -v kreadconfig6 || command -v kreadconfig5) || stop 120 kreadconfig6
    "$reader" --file "$1" --group "$2" --key "$3" --default '(no entry)'
}
# kwin EFFECT...
probe_kwin() {
    need busctl
    bus
    ask() { busctl --user --json=short "$@"; }
    report=$(ask call org.kde.KWin /KWin org.kde.KWin supportInformation) ||
        stop 123 'KWin is not on the user bus'
    say support "$report"
    for effect in "$@"; do
        say loaded "$effect" "$(ask call org.kde.KWin /Effects org.kde.kwin.Effects \
            isEffectLoaded s "$effect")"
        say supported "$effect" "$(ask call org.kde.KWin /Effects org.kde.kwin.Effects \
            isEffectSupported s "$effect")"
    done
}
# Baloo's own answers; what Solid complains about goes elsewhere
probe_baloo() {
    reader=$(command -v balooctl6 || command -v balooctl) || stop 120 balooctl6
    for list in contentIndexing hidden includeFolders excludeFolders; do
        say "## $list"
        "$reader" config list "$list" || exit 1
    done
}
# environment NAME VARIABLE...: of a running program of this user
probe_environment() {
    if [ "$1" = session ]; then
        pid=$(session) || exit
    else
        pid=$(called "$1" | head -n 1)
        [ -n "$pid" ] || stop 123 "$1 does not run"
    fi
    shift
    say process "$pid"
    variables "$pid" "$@"
}
# fresh VARIABLE...: what a program gets that the user's manager starts now
probe_fresh() {
    need systemd-run
    bus
    systemd-run --user --pipe --quiet --collect sh -c 'echo fresh; env -0' </dev/null | {
        read -r word && [ "$word" = fresh ] || exit 1
        say fresh
        filter='^\('
        for variable in "$@"; do filter=$filter$variable'\|'; done
        grep -az "${filter%'\|'}"'\)='
        exit 0
    }
}
