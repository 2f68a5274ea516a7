# Read everything a run needs from one workspace, in one command, and write nothing.
#
# usage: read.sh ROOT [-k KDE_FILE]... [-f FILE]... [-d DIRECTORY]...
#   ROOT          prefix of system paths ("" except in a sandbox)
#   -k, -f, -d    managed KDE files, other managed files, directories that a run owns wholly
# Standard input: what managed.sh prints.
#
# Output: lines "WORD VALUE...", then "files", a base64 tar.gz of both, then "end".
# Values are data and never evaluated. Needs POSIX sh, coreutils, GNU find and tar.

me=${login:-$(id -un)} uid=$uid_
first_line() { # first_line FILE: set "first"
    regular "$1"
    first=''
    # The last line may lack its end.
    { IFS= read -r first <"$file_" || :; } 2>/dev/null
}

say workspace-read 1
say fact config "${config%/}"
say fact uid "$uid"
say fact user "$me"
say fact home "$HOME"
place_of() { case $2 in *"$newline"*) ;; /*) say fact "$1" "$2" ;; esac }
place_of XDG_CONFIG_HOME "${XDG_CONFIG_HOME:-}"
place_of XDG_DATA_HOME "${XDG_DATA_HOME:-}"
place_of XDG_STATE_HOME "${XDG_STATE_HOME:-}"
place_of XDG_CACHE_HOME "${XDG_CACHE_HOME:-}"
if [ ! -d "$HOME" ]; then say mark homeless; fi
say fact state "$state/workspace-tuning/workspace"
first_line /proc/sys/kernel/hostname
say fact hostname "$first"
say fact umask "$login_umask"
first_line /proc/sys/kernel/osrelease
say fact kernel "$first"
first_line /proc/sys/kernel/random/boot_id
say fact boot_id "$first"
say fact runtime_dir "${XDG_RUNTIME_DIR:-/run/user/$uid}"
# System files belong to root; in a sandbox they belong to its owner, who needs no sudo.
if [ -O "$root/var/lib" ]; then
    owner=$uid
else
    owner=$(stat -c %u -- "$root/var/lib" 2>/dev/null) || owner=0
fi
say fact system_uid "$owner"
# The clock of a staged rollout; a sandbox may have one of its own.
clock() { if [ -r "$root$1" ]; then first_line "$root$1"; else first_line "$1"; fi; }
clock /proc/uptime
say fact uptime_s "${first%%[. ]*}"
clock /proc/sys/kernel/random/boot_id
say fact soak_boot "$first"
if [ -e "$root/etc/NIXOS" ]; then
    say mark nixos
    # home-manager as a module of NixOS activates a home by a unit. With startAsUserService this is a
    # unit of the user's manager, with a drop-in in the user's profile.
    unit_of_mine=$(home_unit "$me")
    for units in "$root/run/current-system/etc/systemd/system" "$root/etc/systemd/system"; do
        if [ -e "$units/$unit_of_mine" ]; then
            say mark home_module
            break
        fi
        for unit in "$units"/home-manager-*.service; do
            if [ -e "$unit" ]; then say mark home_module_others; fi
        done
    done
    units=share/systemd/user/home-manager.service.d/10-user-activation.conf
    if [ -e "$root/etc/profiles/per-user/$me/$units" ]; then say mark home_module_at_login; fi
    # Programs for root run through sh, so sudo has to allow sh.
    if [ "$owner" != "$uid" ] && sudo -n sh -c : 2>/dev/null; then say mark sudo; fi
fi
if [ -e "$root/run/ostree-booted" ]; then say mark ostree; fi
first_line /proc/version
case $first in *[Mm][Ii][Cc][Rr][Oo][Ss][Oo][Ff][Tt]*) say mark wsl ;; esac
if [ -d "$root/run/systemd/system" ]; then say mark systemd; fi
if [ -S "${XDG_RUNTIME_DIR:-/run/user/$uid}/bus" ]; then say mark user_bus; fi

for tool in nix nix-env git chezmoi kreadconfig6 kreadconfig5 balooctl6 kwin_x11 kwin_wayland \
    plasmashell busctl systemctl systemd-run sudo; do
    if command -v "$tool" >/dev/null; then printf 'tool %s ' "$tool" && command -v "$tool"; fi
done

# generations PROFILE...: of each the current generation, and every one that is still there. The files
# are named "system" and "home-manager", and those of their generations "NAME-NUMBER-link".
generations() {
    profiles=$#
    for profile in "$@"; do
        [ -L "$profile" ] || continue
        set -- "$@" "$profile"
        for link in "$profile"-*-link; do
            number=${link%-link}
            case ${number##*-} in '' | *[!0-9]*) continue ;; esac
            if [ -L "$link" ]; then set -- "$@" "$link"; fi
        done
    done
    shift "$profiles"
    if [ "$#" = 0 ]; then return 0; fi
    find "$@" -maxdepth 0 -type l -printf '%f %l\n' 2>/dev/null | while IFS=' ' read -r link target; do
        case $link in
            system | home-manager)
                current=${target##*/}
                continue
                ;;
            system-*-link | home-manager-*-link) ;;
            *) continue ;; # the rest of a target with a line break
        esac
        number=${link%-link} mark=old
        if [ "$link" = "$current" ]; then mark=current; fi
        say generation "${link%%-*}" "${number##*-}" "$mark" "$target"
    done
}
system_profile=$root/nix/var/nix/profiles/system
home_profile=$root/nix/var/nix/profiles/per-user/$me/home-manager
if [ -d "$state/nix/profiles" ]; then home_profile=$state/nix/profiles/home-manager; fi
say profile system "$system_profile"
say profile home "$home_profile"
generations "$system_profile" "$home_profile"
if cd -P -- "$root/run/current-system" 2>/dev/null; then
    say running system "$PWD"
    cd /
elif [ -e "$root/run/current-system" ]; then
    say running system "$(readlink -f -- "$root/run/current-system")"
fi

# What the last build of each layer made (remote/build.sh): digest of its inputs, store path.
for stamp in "$state/workspace-tuning/workspace/built"/*; do
    if [ -f "$stamp" ]; then first_line "$stamp" && say built "${stamp##*/}" "$first"; fi
done

# Every transaction in this user's records: its status, whether its process runs, its number, and its
# parts. Older versions kept root's records of all users in one place.
runs=$root/var/lib/workspace-tuning/runs
for place in "$state/workspace-tuning/workspace/runs"/*/transaction \
    "$runs/$me"/*/transaction "$runs"/*/transaction; do
    if [ ! -d "$place" ]; then continue; fi
    status=$(standing_of "$place") || continue
    alive=no left=0 number=0 user=''
    regular "$place/plan"
    while IFS=' ' read -r word value; do
        case $word in number) number=$value ;; user) user=$value ;; esac
        if [ "$number" != 0 ] && [ -n "$user" ]; then break; fi
    done 2>/dev/null <"$file_"
    case $place in "$runs"/*) [ "${user:-$me}" = "$me" ] || continue ;; esac
    case $number in '' | 0 | *[!0-9]*) # its plan is damaged
        regular "$place/programs.spare"
        number=$(tar -xOf "$file_" plan 2>/dev/null | sed -n 's/^number //p')
        case $number in '' | *[!0-9]*) number=0 ;; esac
        ;;
    esac
    regular "$place/process"
    if IFS=' ' read -r pid start boot <"$file_" && lives "$pid" "$start" "$boot"; then
        alive=yes
        read -r now _ </proc/uptime
        first_line "$place/deadline"
        case $first in '' | *[!0-9]*) ;; *) left=$((first - ${now%.*})) ;; esac
    fi 2>/dev/null
    say transaction "$place" "$number" "$alive" "$left" "$status"
    # Of remote/trial.sh.
    tried=${place%/transaction}/trial
    if [ -f "$tried/state" ] && [ -r "$tried/state" ]; then
        regular "$tried/plan"
        new='' number=0 since=- booted=no
        while IFS=' ' read -r word value; do
            case $word in new) new=$value ;; number) number=$value ;; boot) since=$value ;; esac
        done 2>/dev/null <"$file_"
        case $number in '' | *[!0-9]*) number=0 ;; esac
        first_line "$root/proc/cmdline"
        case " $first " in *" init=${new:-none}/init "*) booted=yes ;; esac
        first_line "$tried/state"
        say trial "$place" "${since:--}" "$number" "$booted" "$first"
        for what in found journal; do
            regular "$tried/$what"
            head -n 80 -- "$file_" 2>/dev/null | cut -c 1-200 |
                while IFS= read -r line; do say trial_said "$place" "$what" "$line"; done
        done
    fi
    IFS=$newline
    for part in $(parts_of "$place" 2>/dev/null); do printf 'part %s %s\n' "$part" "$place"; done
    unset IFS
done

# The change of another user that is on trial: its unit is there until it is decided (trial.sh).
for unit in "$root/etc/systemd/system" "$root/etc/systemd/system.control"; do
    if [ ! -f "$unit/workspace-tuning-trial.service" ]; then continue; fi
    sed -n 's#^ExecStart=.* boot .*/runs/\([^/]*\)/\([^/]*\)/transaction$#\1 \2#p' \
        "$unit/workspace-tuning-trial.service" 2>/dev/null | head -n 1 |
        sed 's/\([\\%$]\)\1/\1/g' | while IFS=' ' read -r whose run; do
        if [ "$whose" != "$me" ]; then say fact trial_of "$whose $run"; fi
    done
done

# What a removal has yet to take off: it may have been interrupted behind the last record.
if [ -e "$state/workspace-tuning/workspace" ] || [ -e "$HOME/.local/share/workspace-tuning" ]; then
    say mark remains
fi
if [ -e "$runs/$me" ] || [ -e "${runs%/*}/nixos" ]; then say mark roots_remain; fi

# The lock of a run: its lines, and whether the process that took it still runs. The lock is read after
# the transactions, because a change that began meanwhile holds a lock.
lock=$state/workspace-tuning/workspace/lock
if [ -f "$lock" ] && [ -r "$lock" ]; then
    while IFS=' ' read -r word value; do say lock "$word" "$value"; done <"$lock"
    read_lock "$lock"
    if lives "$anchor" "$start" "$boot"; then say lock alive yes; else say lock alive no; fi
fi

# reachable PATH: whether we could see it if it existed.
reachable() {
    above=${1%/*}
    while [ ! -d "$above" ] && [ "$above" != "${above%/*}" ]; do above=${above%/*}; done
    [ -x "${above:-/}" ]
}
# classify PATH: print "absent" or "unreadable", or add the path to the archive; print "leftover" for
# staged files of a killed run beside it.
list=''
classify() {
    for left in "${1%/*}/.${1##*/}.wt-"*; do
        case ${left##*.wt-} in *[!0-9a-z.-]*) continue ;; esac # not the id of a run
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

classify_sources() { # classify_sources LINES: those of managed
    set -f
    IFS=$newline
    # shellcheck disable=SC2086 # one argument for each line
    set -- $1
    unset IFS
    set +f
    for line in "$@"; do
        say "$line"
        case $line in
            "chezmoi_source "*) classify "${line#*"$tab"}" ;;
            "chezmoi "*"${tab}0$tab"*)
                line=${line#*"${tab}0$tab"}
                classify "$(printf '%s' "${line%%"$tab"*}" | base64 -d)"
                ;;
        esac
    done
}
# follow PATH: print "follows" for a link of the user's own to a regular file of the user's own in the
# home, as stow and chezmoi's symlink mode make them. A run then writes the file.
follow() {
    if [ -L "$1" ] && target=$(readlink -f -- "$1") && [ -f "$target" ] && [ -O "$target" ] &&
        [ -O "${target%/*}" ] && [ "$(stat -c %u -- "$1")" = "$uid" ]; then
        case $target in
            *"$newline"* | *"$tab"*) ;;
            "$(readlink -f -- "$HOME")"/*)
                printf 'follows %s\t%s\n' "$1" "$target"
                classify "$target"
                ;;
        esac
    fi
}

# The lower layers of KDE's files (converge/kde/lower.py): the directories, of which the first wins, and
# the content of the files in them (on NixOS, links into the store). Files that KDE cannot read, or that
# are too large for a configuration, are left out.
config_dirs() { # set "dirs": of the running desktop, else of this login, else Plasma's default
    for process in "$root"/proc/[0-9]*; do
        { read -r program <"$process/comm"; } 2>/dev/null || continue
        case $program in
            plasmashell | .plasmashell* | kwin_x11 | kwin_wayland | .kwin_*) ;;
            *) continue ;;
        esac
        if ! [ -O "$process" ] || ! [ -r "$process/environ" ]; then continue; fi
        dirs=$(tr '\0' '\n' <"$process/environ" 2>/dev/null | sed -n 's/^XDG_CONFIG_DIRS=//p')
        if [ -n "$dirs" ]; then return 0; fi
    done
    dirs=${XDG_CONFIG_DIRS:-$root/etc/xdg} defaults=$HOME/.config/kdedefaults
    case :$dirs: in *:"$defaults":*) ;; *) dirs=$defaults:$dirs ;; esac
}
LARGE=1048576 # bytes
lower=$newline # the files, a line each
lower_file() {
    case $1 in *"$newline"*) return 0 ;; esac
    if [ -f "$1" ] && [ -r "$1" ]; then lower=$lower$1$newline; fi
}
lower_layers() { # lower_layers -k FILE...: print the directories and set "lower"
    names='kdeglobals system.kdeglobals'
    while [ "$#" -gt 1 ]; do
        case $1:$2 in -k:*/kdeglobals) ;; -k:*) names="$names ${2##*/}" ;; esac
        shift 2
    done
    lower_file "$root/etc/kde5rc"
    lower_file "$HOME/.config/system.kdeglobals"
    config_dirs
    set -f
    IFS=:
    # shellcheck disable=SC2086 # one argument for each directory
    set -- $dirs
    unset IFS
    set +f
    for directory in "$@"; do
        # As the XDG specification asks.
        case $directory in /*) ;; *) continue ;; esac
        say config_dir "${directory%/}"
        for name in $names; do lower_file "${directory%/}/$name"; done
    done
}
# looked_at: print "unreadable" for what is below the managed directories and is not in the archive, so
# that it is not taken for absent, and "lower" with the content of each lower file.
looked_at() {
    set -f
    IFS=$newline
    # shellcheck disable=SC2086 # one argument for each line
    set -- $lower $recursive
    if [ "$#" = 0 ]; then unset IFS && set +f && return; fi
    found=$(find -H "$@" ! -path "*$newline*" \( ! -readable -printf 'unreadable %p\n' , \
        -type f -size "+${LARGE}c" -printf 'large %p\n' \) 2>/dev/null)
    for line in $found; do
        file=$newline${line#large }$newline
        case $line$lower in
            unreadable*) say "$line" ;;
            *"$file"*) lower=${lower%%"$file"*}$newline${lower#*"$file"} ;;
        esac
    done
    for file in $lower; do
        printf 'lower %s ' "$file"
        base64 -w 0 -- "$file" 2>/dev/null
        echo
    done
    unset IFS
    set +f
}

recursive=''
lower_layers "$@"
classify "$state/workspace-tuning/workspace/written.json"
for part in nixos home-manager plasma+session; do
    classify "$state/workspace-tuning/workspace/undone/$part"
done
for run in "$state/workspace-tuning/workspace/undone"/[0-9]*t[0-9]*-*; do # see former.sh
    if [ ! -d "$run" ] || [ -L "$run" ]; then continue; fi
    for what in before after parts; do classify "$run/$what"; done
done
answers=$(cat)
case $answers in
    *"${newline}managed end") classify_sources "${answers%"$newline"*}" ;;
    "managed end") ;;
    *) stop 70 "what chezmoi knows of the files could not be read whole" ;;
esac
while [ "$#" -gt 1 ]; do
    absolute "$2"
    if [ "$1" = -k ]; then follow "$path"; fi
    case $1 in
        -k | -f) classify "$path" ;;
        -d)
            if [ -d "$path" ] && [ ! -L "$path" ]; then
                recursive=$recursive$path$newline
            else
                classify "$path"
            fi
            ;;
    esac
    shift 2
done

looked_at
say files
set -f
IFS=$newline
# shellcheck disable=SC2086 # one argument for each line, of which each begins with a slash
tar -cPf - --files-from=/dev/null ${list:+--no-recursion} $list ${recursive:+--recursion} $recursive |
    gzip -1 | base64 -w 65536
say end
