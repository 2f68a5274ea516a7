# The running Plasma session: KConfig, KWin, Baloo, the environment of its programs.
# shellcheck shell=sh disable=SC2154 # root, cap: common.sh

probe_kde() { # kde FILE GROUP KEY: as an application reads it, the system's files included
    reader=kreadconfig6
    command -v "$reader" >/dev/null || reader=kreadconfig5
    command -v "$reader" >/dev/null || stop 120 kreadconfig6
    # A relative name: an absolute one would leave the system's files and their locks out.
    exec "$reader" --file "$1" --group "$2" --key "$3" --default '(no entry)'
}
kwin() { busctl --user --json=short call org.kde.KWin "$@"; }
probe_kwin() { # kwin EFFECT...
    need busctl
    bus
    report=$(kwin /KWin org.kde.KWin supportInformation) || stop 123 'KWin is not on the user bus'
    say support "$report"
    for effect in "$@"; do
        say loaded "$effect" "$(kwin /Effects org.kde.kwin.Effects isEffectLoaded s "$effect")"
        say supported "$effect" \
            "$(kwin /Effects org.kde.kwin.Effects isEffectSupported s "$effect")"
    done
}
probe_baloo() { # Baloo's own answers
    reader=$(command -v balooctl6 || command -v balooctl) || stop 120 balooctl6
    for list in contentIndexing hidden includeFolders excludeFolders; do
        say "## $list"
        "$reader" config list "$list" || return
    done
}
# indexer: when the switch was written, whether there is a session, and the indexers that run, all in
# seconds since the epoch
probe_indexer() {
    file=${XDG_CONFIG_HOME:-$HOME/.config}/baloofilerc
    written=$(stat -c %Y -- "$file" 2>/dev/null) || stop 121 "$file"
    say written "$written"
    (session) >/dev/null 2>&1 && say session
    for pid in $(called baloo_file); do
        since=$(stat -c %Y -- "$root/proc/$pid" 2>/dev/null) || continue
        say process "$pid" "$since"
    done
}
probe_environment() { # environment NAME VARIABLE...: of a running program ("session": of Plasma)
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
probe_fresh() { # fresh VARIABLE...: what a program gets that the user's manager starts now
    need systemd-run
    bus
    pattern=''
    for variable in "$@"; do pattern="$pattern|$variable"; done
    # shellcheck disable=SC2016 # the shell in the unit fills in its own argument
    systemd-run --user --pipe --quiet --collect sh -c 'echo fresh; exec "$0" -0' \
        "$(command -v env)" | {
        read -r word && [ "$word" = fresh ] || exit 1
        say fresh
        grep -azE "^(${pattern#?})="
        exit 0
    }
}
# who_sets FILE VARIABLE...: the lines of the variables as "NAME=VALUE", for systemd's form and pam_env's
who_sets() {
    file=$1
    [ -f "$file" ] && [ -r "$file" ] || return 0 # systemd of the user cannot read it either
    shift
    while read -r line || [ -n "$line" ]; do
        case $file in
            "$root"/etc/environment | "$root"/etc/*pam*)
                line=${line#export } line=${line%%[[:blank:]]#*}
                ;;
        esac
        for variable in "$@"; do
            text=${line#"$variable"}
            [ "$text" != "$line" ] || continue
            case $text in
                [[:blank:]]*DEFAULT=*) text=${text#*DEFAULT} text=${text%%[[:blank:]]OVERRIDE=*} ;;
            esac
            text=${text#"${text%%[![:blank:]]*}"}
            case $text in
                =*)
                    text=${text#=}
                    printf 'set %s\t%s=%s\n' "$file" "$variable" "${text#"${text%%[![:blank:]]*}"}"
                    ;;
            esac
        done
    done <"$file"
}
probe_environment_files() { # environment-files VARIABLE...: who sets them, in the order of a login
    for file in "$root/etc/security/pam_env.conf" "$root/etc/pam/environment" \
        "$root/etc/environment"; do
        who_sets "$file" "$@"
    done
    # environment.d(5): by name across the directories; of one name, the first directory's file.
    for directory in "${XDG_CONFIG_HOME:-$HOME/.config}" "$root/etc" "$root/run" \
        "$root/usr/local/lib" "$root/usr/lib"; do
        for file in "$directory"/environment.d/*.conf; do
            if [ -e "$file" ]; then say "${file##*/}/$file"; fi
        done
    done | sort -s -t / -k 1,1 -u | while IFS= read -r file; do
        who_sets "${file#*/}" "$@"
    done
}
