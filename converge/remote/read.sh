# Read everything a run needs from one workspace, in one command, and write nothing.
#
# usage: read.sh ROOT [-k KDE_FILE]... [-f FILE]... [-d DIRECTORY]...
#   ROOT          prefix of system paths ("" except in a sandbox)
#   -k, -f, -d    managed KDE files, other managed files, directories that are wholly ours
#
# Output: lines "WORD VALUE...", then "files" and "directories", each a base64 tar.gz, then "end".
# Values are data: nothing read here is ever evaluated. Needs POSIX sh, coreutils, GNU tar.
root=$1
shift
state=${XDG_STATE_HOME:-$HOME/.local/state}

first_line() { head -n 1 -- "$1" 2>/dev/null; }

# Where the desktop has its files: a command over SSH does not get all that a session is given.
config=${XDG_CONFIG_HOME:-}
if [ -z "$config" ] && [ -z "$root" ] && command -v systemctl >/dev/null; then
    config=$(timeout 5 systemctl --user show-environment 2>/dev/null |
        sed -n 's/^XDG_CONFIG_HOME=\(\/.*\)$/\1/p')
fi
case $config in /*) ;; *) config=$HOME/.config ;; esac

say workspace-read 1
say fact config "${config%/}"
say fact uid "$(id -u)"
say fact user "$(id -un)"
say fact home "$HOME"
for name in XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME XDG_CACHE_HOME; do
    path=$(printenv "$name")
    case $path in *"$newline"*) ;; /*) say fact "$name" "$path" ;; esac
done
if [ ! -d "$HOME" ]; then say mark homeless; fi
say fact state "$state/workspace-tuning/workspace"
say fact hostname "$(uname -n)"
say fact umask "$login_umask"
say fact kernel "$(uname -r)"
say fact boot_id "$(first_line /proc/sys/kernel/random/boot_id)"
say fact runtime_dir "${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"
# System files belong to root; in a sandbox to whoever owns it, and then nothing needs sudo.
owner=$(stat -c %u -- "$root/var/lib" 2>/dev/null) || owner=0
say fact system_uid "$owner"
# The clock of a staged rollout; a sandbox may have one of its own.
clock() { if [ -r "$root$1" ]; then first_line "$root$1"; else first_line "$1"; fi; }
uptime=$(clock /proc/uptime)
say fact uptime_s "${uptime%%[. ]*}"
say fact soak_boot "$(clock /proc/sys/kernel/random/boot_id)"
if [ -e "$root/etc/NIXOS" ]; then
    say mark nixos
    # home-manager as a module of NixOS activates a home by a unit of this name.
    if [ -e "$root/etc/systemd/system/home-manager-$(id -un).service" ]; then say mark home_module; fi
    # A program for root is text for sh, so sh is what sudo has to allow.
    if [ "$owner" != "$(id -u)" ] && sudo -n sh -c : 2>/dev/null; then say mark sudo; fi
fi
if [ -e "$root/run/ostree-booted" ]; then say mark ostree; fi
if grep -qi microsoft /proc/version 2>/dev/null; then say mark wsl; fi
if [ -d "$root/run/systemd/system" ]; then say mark systemd; fi
if [ -S "${XDG_RUNTIME_DIR:-/run/user/$(id -u)}/bus" ]; then say mark user_bus; fi

for tool in nix nix-env git chezmoi kreadconfig6 kreadconfig5 balooctl6 kwin_x11 kwin_wayland \
    plasmashell busctl systemctl systemd-run sudo; do
    if found=$(command -v "$tool"); then say tool "$tool" "$found"; fi
done

# profile NAME LINK: the current generation, and every generation that is still there.
profile() {
    [ -L "$2" ] || return 0
    current=$(readlink -- "$2")
    current=${current##*/}
    for link in "$2"-*-link; do
        [ -L "$link" ] || continue
        number=${link%-link}
        number=${number##*-}
        case $number in '' | *[!0-9]*) continue ;; esac
        mark=old
        if [ "${link##*/}" = "$current" ]; then mark=current; fi
        say generation "$1" "$number" "$mark" "$(readlink -- "$link")"
    done
}
system_profile=$root/nix/var/nix/profiles/system
home_profile=$root/nix/var/nix/profiles/per-user/$(id -un)/home-manager
if [ -d "$state/nix/profiles" ]; then home_profile=$state/nix/profiles/home-manager; fi
say profile system "$system_profile"
say profile home "$home_profile"
profile system "$system_profile"
profile home "$home_profile"
if [ -e "$root/run/current-system" ]; then
    say running system "$(readlink -f -- "$root/run/current-system")"
fi


# What the last build of each layer made (remote/build.sh): digest of its inputs, store path.
for stamp in "$state/workspace-tuning/workspace/built"/*; do
    if [ -f "$stamp" ]; then say built "${stamp##*/}" "$(first_line "$stamp")"; fi
done

# The lock of a run: its text, and whether the session that took it is still there.
lock=$state/workspace-tuning/workspace/lock
if [ -f "$lock" ] && [ -r "$lock" ]; then
    while IFS=' ' read -r word value; do say lock "$word" "$value"; done <"$lock"
    read_lock "$lock"
    if lives "$anchor" "$start" "$boot"; then say lock alive yes; else say lock alive no; fi
fi

# Every transaction of this user's that is kept: its status, whether its process is there, its number,
# and what is still in force of it. Once root kept those of all users in one place.
runs=$root/var/lib/workspace-tuning/runs me=$(id -un)
for place in "$state/workspace-tuning/workspace/runs"/*/transaction \
    "$runs/$me"/*/transaction "$runs"/*/transaction; do
    status=$(standing_of "$place") || continue
    alive=no left=0 number=0 user=''
    while IFS=' ' read -r word value; do
        case $word in number) number=$value ;; user) user=$value ;; esac
    done 2>/dev/null <"$place/plan"
    case $place in "$runs"/*) [ "${user:-$me}" = "$me" ] || continue ;; esac
    case $number in '' | *[!0-9]*) number=0 ;; esac
    if IFS=' ' read -r pid start boot <"$place/process" && lives "$pid" "$start" "$boot"; then
        alive=yes
        read -r now _ </proc/uptime
        end=$(first_line "$place/deadline")
        case $end in '' | *[!0-9]*) ;; *) left=$((end - ${now%.*})) ;; esac
    fi 2>/dev/null
    say transaction "$place" "$number" "$alive" "$left" "$status"
    parts_of "$place" 2>/dev/null |
        while IFS=' ' read -r part standing; do say part "$part" "$standing" "$place"; done
done

# reachable PATH: whether it would be seen if it were there.
reachable() {
    above=${1%/*}
    while [ -n "$above" ] && [ ! -d "$above" ]; do above=${above%/*}; done
    [ -x "${above:-/}" ]
}
# classify PATH: absent, unreadable, or one more member of the archive; and what a run that was
# killed left beside it.
list=''
tab=$(printf '\t')
classify() {
    for left in "${1%/*}/.${1##*/}.wt-"*; do
        case ${left##*.wt-} in *[!0-9a-z.-]*) continue ;; esac # not the id of a run of ours
        if [ -f "$left" ]; then say leftover "$left"; fi
    done
    if [ -L "$1" ] || [ -e "$1" ]; then
        if [ -f "$1" ] && [ ! -L "$1" ] && [ ! -r "$1" ]; then
            say unreadable "$1"
        elif [ -d "$1" ] && [ ! -L "$1" ] && [ ! -x "$1" ]; then
            say unreadable "$1"
        else
            list=$list$1$newline
        fi
    elif reachable "$1"; then
        say absent "$1"
    else
        say unreadable "$1"
    fi
}

# What chezmoi knows of the KDE files among the arguments: for each the answer about its source, and
# about what it wrote last where the two are not the same; each answer whole: exit code, output and
# errors, so that a failure is never taken for "not managed". All is asked at once: chezmoi's start
# takes longer than everything else here. Each line is one write, so none is torn.
managed() {
    while [ "$#" -gt 1 ]; do
        if [ "$1" = -k ]; then ask_chezmoi "$(absolute "$2")" & fi
        shift 2
    done
    wait
}
ask_chezmoi() { # ask_chezmoi TARGET
    source=''
    answer_of chezmoi "$1" source-path "$1"
    if [ "$code" != 0 ]; then return 0; fi
    source=$(printf '%s' "$output" | base64 -d)
    if same "$1" "$source"; then return 0; fi
    answer_of chezmoi_entry "$1" state get --bucket=entryState --key="$1"
    stamp=$(printf '%s' "$output" | base64 -d |
        sed -n 's/.*"contentsSHA256": *"\([0-9a-f]\{64\}\)".*/\1/p')
    if [ -n "$stamp" ] && ! has "$stamp" "$1" && ! has "$stamp" "$source"; then
        base=$(base_of "$stamp" "$source" | base64 -w 0)
        if [ -n "$base" ]; then printf 'chezmoi_base %s\t%s\n' "$1" "$base"; fi
    fi
}
answer_of() { # answer_of WORD TARGET ARGUMENT...: prints the answer; sets code and output
    word=$1 target=$2
    shift 2
    # The errors are encoded once all is there, so behind the code and the output.
    all=$({
        {
            output=$(cm "$@")
            printf '%s\t%s\t' "$?" "$(printf '%s' "$output" | base64 -w 0)" >&3
        } 2>&1 | tail -c 4096 | base64 -w 0
    } 3>&1)
    printf '%s %s\t%s\n' "$word" "$target" "$all"
    code=${all%%"$tab"*} output=${all#*"$tab"}
    output=${output%%"$tab"*}
}
has() { [ -f "$2" ] && [ "$(sha256sum <"$2")" = "$1  -" ]; } # has DIGEST PATH
# base_of DIGEST SOURCE: the bytes that chezmoi wrote last, from a record of ours or from the history
# of the source.
base_of() {
    for kept in "$state/workspace-tuning/workspace/runs"/*/*/new/* \
        "$state/workspace-tuning/workspace/runs"/*/*/before/*; do
        if has "$1" "$kept"; then
            cat -- "$kept"
            return 0
        fi
    done
    git -C "${2%/*}" log -n 50 --format=%H -- "$2" 2>/dev/null | while IFS= read -r commit; do
        if [ "$(git -C "${2%/*}" show "$commit:./${2##*/}" 2>/dev/null | sha256sum)" = "$1  -" ]; then
            git -C "${2%/*}" show "$commit:./${2##*/}"
            break
        fi
    done
}
same() { [ -f "$1" ] && [ -f "$2" ] && cmp -s -- "$1" "$2"; }
classify_sources() { # classify_sources LINES: those of managed
    set -f
    IFS=$newline
    # shellcheck disable=SC2086 # one argument for each line
    set -- $1
    unset IFS
    set +f
    for line in "$@"; do
        say "$line"
        case $line in "chezmoi "*"${tab}0$tab"*)
            line=${line#*"${tab}0$tab"}
            classify "$(printf '%s' "${line%%"$tab"*}" | base64 -d)"
            ;;
        esac
    done
}
# Without the program, a source of a KDE file is said: what is written would not be kept in step.
without_chezmoi() {
    directory=${XDG_DATA_HOME:-$HOME/.local/share}/chezmoi
    [ -d "$directory" ] || return 0
    while [ "$#" -gt 1 ]; do
        if [ "$1" = -k ]; then
            source=$(find "$directory" -path "*dot_config/*${2##*/}*" -type f 2>/dev/null | head -n 1)
            if [ -n "$source" ]; then
                printf 'chezmoi_missing %s\t%s\n' "$(absolute "$2")" "$source"
            fi
        fi
        shift 2
    done
}
absolute() {
    # shellcheck disable=SC2088 # the tilde is meant to be literal
    case $1 in
        "~/.config/"*) say "$config/${1#??.config/}" ;;
        "~/"*) say "$HOME/${1#??}" ;;
        *) say "$1" ;;
    esac
}
# follow PATH: a link of the user's own to a regular file of the user's own in the home, as stow and
# chezmoi's symlink mode make them: the file that it leads to is the one that is written.
follow() {
    if [ -L "$1" ] && target=$(readlink -f -- "$1") && [ -f "$target" ] && [ -O "$target" ] &&
        [ -O "${target%/*}" ] && [ "$(stat -c %u -- "$1")" = "$(id -u)" ]; then
        case $target in
            *"$newline"* | *"$tab"*) ;;
            "$(readlink -f -- "$HOME")"/*)
                printf 'follows %s\t%s\n' "$1" "$target"
                classify "$target"
                ;;
        esac
    fi
}

# The lower layers of KDE's files (converge/kde/lower.py): the directories, the first one wins, and
# the files in them by content: on NixOS each is a link into the store. What KDE cannot read, as one
# that is too large to be a configuration, is passed over.
config_dirs() { # of the desktop that runs, else of this login, else what Plasma would start with
    for process in "$root"/proc/[0-9]*; do
        { read -r program <"$process/comm"; } 2>/dev/null || continue
        case $program in
            plasmashell | .plasmashell* | kwin_x11 | kwin_wayland | .kwin_*) ;;
            *) continue ;;
        esac
        if ! [ -O "$process" ] || ! [ -r "$process/environ" ]; then continue; fi
        dirs=$(tr '\0' '\n' <"$process/environ" 2>/dev/null | sed -n 's/^XDG_CONFIG_DIRS=//p')
        if [ -n "$dirs" ]; then say "$dirs" && return 0; fi
    done
    dirs=${XDG_CONFIG_DIRS:-$root/etc/xdg} defaults=$HOME/.config/kdedefaults
    case :$dirs: in *:"$defaults":*) say "$dirs" ;; *) say "$defaults:$dirs" ;; esac
}
lower_file() {
    [ -f "$1" ] && [ -r "$1" ] || return 0
    say lower "$1" "$(head -c 1048577 -- "$1" | base64 -w 0)"
}
lower_layers() { # lower_layers -k FILE...
    names='kdeglobals system.kdeglobals'
    while [ "$#" -gt 1 ]; do
        case $1:$2 in -k:*/kdeglobals) ;; -k:*) names="$names ${2##*/}" ;; esac
        shift 2
    done
    lower_file "$root/etc/kde5rc"
    lower_file "$HOME/.config/system.kdeglobals"
    directories=$(config_dirs)
    set -f
    IFS=:
    # shellcheck disable=SC2086 # one argument for each directory
    set -- $directories
    unset IFS
    set +f
    for directory in "$@"; do
        case $directory in /*) ;; *) continue ;; esac # as the XDG specification has it
        say config_dir "${directory%/}"
        for name in $names; do lower_file "${directory%/}/$name"; done
    done
}

recursive=''
lower_layers "$@"
classify "$state/workspace-tuning/workspace/written.json"
for part in nixos home-manager plasma+session; do
    classify "$state/workspace-tuning/workspace/undone/$part"
done
if command -v chezmoi >/dev/null 2>&1; then
    classify_sources "$(managed "$@")"
else
    without_chezmoi "$@"
fi
while [ "$#" -gt 1 ]; do
    path=$(absolute "$2")
    if [ "$1" = -k ]; then follow "$path"; fi
    case $1 in
        -k | -f) classify "$path" ;;
        -d)
            if [ -d "$path" ] && [ ! -L "$path" ]; then
                recursive=$recursive$path$newline
                # What cannot be read is not in the archive; it must not be taken for absent.
                find "$path" ! -readable ! -path "*$newline*" 2>/dev/null |
                    while IFS= read -r name; do say unreadable "$name"; done
            else
                classify "$path"
            fi
            ;;
    esac
    shift 2
done

say files
printf '%s' "$list" | tr '\n' '\0' |
    tar -cPf - --no-recursion --null --files-from=- | gzip -1 | base64 -w 65536
say directories
printf '%s' "$recursive" | tr '\n' '\0' |
    tar -cPf - --null --files-from=- | gzip -1 | base64 -w 65536
say end
