# The functions of all programs on a workspace: this text is put before each program
# (tasks/reach/remote.py), also before the copies that a transaction keeps on the workspace.
# shellcheck shell=sh disable=SC2034,SC2317,SC2119,SC2120,SC2174
set -u
export LC_ALL=C
unset TAR_OPTIONS GZIP POSIXLY_CORRECT # with these, tar can leave files out, or change their modes
login_umask=$(umask) # the user's own, for programs that make files in the user's name
umask 077

# A directory that is not absolute is ignored, as the XDG Base Directory Specification asks.
case ${XDG_STATE_HOME:-/} in /*) ;; *) unset XDG_STATE_HOME ;; esac
case ${XDG_CONFIG_HOME:-/} in /*) ;; *) unset XDG_CONFIG_HOME ;; esac
case ${XDG_DATA_HOME:-/} in /*) ;; *) unset XDG_DATA_HOME ;; esac
case ${XDG_CACHE_HOME:-/} in /*) ;; *) unset XDG_CACHE_HOME ;; esac
case ${XDG_RUNTIME_DIR:-/} in /*) ;; *) unset XDG_RUNTIME_DIR ;; esac

# PATH gets the usual places of programs, because a command over SSH gets a short PATH. Root who acts
# for another user gets only places where root alone can write, whatever PATH sudo passed on.
system_places_alone() {
    PATH=/run/wrappers/bin:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin
    PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    export PATH
}
for_another=no login='' config='' uid_=''
{ while read -r word_ _ uid_ _ && [ "$word_" != Uid: ]; do :; done </proc/self/status; } || uid_=$(id -u)
if [ "${SUDO_UID:-0}" != 0 ] && [ "$uid_" = 0 ]; then
    for_another=yes
    system_places_alone
    # Root ignores the user's settings, even where sudo passed them on: Nix's settings can name
    # programs to load. The plan says where the user's files are.
    HOME=/root
    export HOME
    unset XDG_CONFIG_HOME XDG_CONFIG_DIRS XDG_DATA_HOME XDG_STATE_HOME XDG_CACHE_HOME
    unset NIX_CONFIG NIX_USER_CONF_FILES NIX_PATH TMPDIR
else
    login=$(id -un)
    PATH=$PATH:/run/wrappers/bin:$HOME/.nix-profile/bin:${XDG_STATE_HOME:-$HOME/.local/state}/nix/profile/bin
    PATH=$PATH:/etc/profiles/per-user/$login/bin:/run/current-system/sw/bin
    PATH=$PATH:/nix/var/nix/profiles/default/bin:$HOME/.local/bin:$HOME/bin
    if [ -O /home/linuxbrew/.linuxbrew/bin ]; then PATH=$PATH:/home/linuxbrew/.linuxbrew/bin; fi
    PATH=$PATH:$HOME/.linuxbrew/bin:/usr/local/sbin:/usr/sbin:/sbin:/usr/lib/wsl/lib
fi
export PATH
newline='
'
tab='	' # one tab

say() { printf '%s\n' "$*"; }
row() { # row WORD VALUE...: one line, its parts with tabs between them
    IFS=$tab
    say "$*"
    unset IFS
}
# frame COMMAND ARGUMENT...: run it and print "=OUTPUT CODE =ERRORS". OUTPUT and ERRORS are base64, so
# that they cannot have a line of their own. "cap" limits the bytes of the output; ERRORS are the last.
frame() {
    printf '='
    {
        errors_=$(
            {
                {
                    ("$@") 3>&-
                    printf '\n%s' "$?" >&2
                } | head -c "${cap:-1048576}" | base64 -w 0 >&3
            } 2>&1 | tail -c 4096
        )
    } 3>&1
    code_=${errors_##*"$newline"} errors_=${errors_%"$newline"*}
    if [ -n "$errors_" ]; then errors_=$(printf %s "$errors_" | base64 -w 0); fi
    printf ' %s =%s\n' "$code_" "$errors_"
}
at_end() { :; } # at_end CODE: a program overrides this to clean up before it ends early
end_with() { # end_with CODE WORD TEXT...: end with a line that the controller reads
    code=$1
    shift
    say "$*"
    at_end "$code"
    exit "$code"
}
# with_first COUNT COMMAND ARGUMENT...: run the command with the first COUNT of these arguments. What is
# evaluated are their numbers.
with_first() {
    words_='' at_=2
    while [ "$at_" -lt "$(($1 + 2))" ]; do at_=$((at_ + 1)) && words_="$words_ \"\${$at_}\""; done
    eval "\"\$2\" $words_"
}
stop() { code=$1 && shift && end_with "$code" failed "$*"; } # stop CODE TEXT...: with "failed TEXT"

# put PATH LINE...: write these lines to the file, wholly or not at all. On failure "why" is the path
# with the system's own reason, such as a full disk; a program tells it, because the shell does not.
put() {
    path_=$1
    shift
    { printf '%s\n' "$@" >"$path_.new" && settle "$path_"; } 2>/dev/null && return 0
    why=$({ printf '%s\n' "$@" | cat >"$path_.new" && settle "$path_"; } 2>&1) && return 0
    unsettled
}
# unpack DIRECTORY [PART] <PAYLOAD of tasks/reach/payload.py, or a part; gzip checks it. Prints errors.
unpack() {
    cut_=$({
        { base64 -d | gzip -dc || say cut >&3; } |
            tar -xf - -C "$1" --no-same-owner --no-same-permissions ${2:+--strip-components=1 "$2"}
    } 3>&1) && [ -z "$cut_" ]
}
receive() { # receive PATH <CONTENT: as put, for the content on standard input
    path_=$1
    why=$({ cat >"$path_.new" && settle "$path_"; } 2>&1) && return 0
    unsettled
}
settle() { # settle PATH: rename PATH.new to PATH; a directory there is moved beside it
    sync -- "$1.new" || return 1
    if [ -d "$1" ] && [ ! -L "$1" ]; then mv -T -- "$1" "$1.was-a-directory" || return 1; fi
    mv -fT -- "$1.new" "$1"
}
unsettled() {
    rm -f -- "$path_.new" 2>/dev/null
    why="$path_: cannot be written: $(reason "$why")"
    return 1
}
# reason TEXT: the system's own words in the error of a program
reason() {
    first_=${1#"$newline"} first_=${first_%%"$newline"*} first_=${first_##*: }
    case $first_ in "Wrote only "*) first_='No space left on device' ;; esac # tar's word for that
    say "$first_"
}
# by_root -n|-- COMMAND ARGUMENT...: run it by sudo without this environment, whatever sudo is
# configured to keep. It runs through sh, so sudo has to allow sh alone.
by_root() {
    ask_=$1
    shift
    # shellcheck disable=SC2016 # filled in by root's own shell
    sudo "$ask_" sh -c 'cd / && PATH=/run/current-system/sw/bin:/usr/bin:/bin && export PATH &&
        exec env -i PATH="$PATH" HOME=/root SUDO_UID="$SUDO_UID" SUDO_GID="$SUDO_GID" "$@"' sh "$@"
}
# place DIRECTORY: make the directory RUNS/RUN of a run's record, for its owner alone; else "why". The
# user's group can read what root keeps for the user, so that the user can see how it stands.
place() {
    runs=${1%/*}
    own "${runs%/*}" "$runs" || return 1
    if [ "$for_another" = no ]; then
        [ -d "$1" ] || why=$(mkdir -p -m 700 -- "$1" 2>&1) && return 0
    else
        why=$({
            (umask 022 && mkdir -p -- "${runs%/*}") &&
                { [ -d "$runs" ] || mkdir -m 700 -- "$runs"; } &&
                chgrp -- "$(id -g "$SUDO_UID")" "$runs" && chmod 2750 -- "$runs" &&
                (umask 027 && mkdir -p -- "$1")
        } 2>&1) && return 0
    fi
    why="$1: cannot be made: $(reason "$why")"
    return 1
}
# drop DIRECTORY: a record goes as a whole, also where that is interrupted: half of one would be taken
# for a damaged one. What is left of it then is ".gone-NAME".
drop() {
    gone_=${1%/*}/.gone-${1##*/}
    rm -rf -- "$gone_" && { mv -T -- "$1" "$gone_" 2>/dev/null || [ ! -e "$1" ]; } && rm -rf -- "$gone_"
}
# swappable PATH: print the directories down to PATH in which a user other than root can replace what lies
# there, also "swapped_"; fails without one. Trusted are groups, and who owns /proc/sys: a container's root.
swappable() {
    up_=$(readlink -m -- "$1")
    set -- /
    while [ -n "$up_" ]; do
        set -- "$up_" "$@"
        up_=${up_%/*}
    done
    among_ "$uid_" "$@" >/dev/null && among_ "$(stat -c %u /proc/sys)" "$@"
}
among_() { # among_ UID DIRECTORY...
    trusted_=$1
    shift
    swapped_=$(find "$@" -maxdepth 0 \( ! -uid 0 ! -uid "$uid_" ! -uid "$trusted_" -o \
        -perm -002 ! -perm -1000 \) 2>/dev/null)
    [ -n "$swapped_" ] && say "$swapped_"
}
# uptime_s: seconds since the boot, which nobody can set; also "up_", without a process of its own
uptime_s() { read -r up_ _ </proc/uptime && up_=${up_%.*} && say "$up_"; }
boot_id() { boot_='' && { read -r boot_ </proc/sys/kernel/random/boot_id && say "$boot_"; } 2>/dev/null; }
# stat_field PID N: field N after the command name in proc_pid_stat(5): 2 is the parent, 20 the start
# time in ticks since boot; also "stat_". Prints nothing for an ended process, a zombie included.
stat_field() {
    field_=$2 stat_='' last_=''
    while IFS= read -r next_; do last_=$next_; done 2>/dev/null <"/proc/$1/stat" || return 0
    set -f
    # shellcheck disable=SC2086 # the command name before these fields may hold blanks
    set -- ${last_##*) }
    set +f
    case ${1:-X} in Z | X) return 0 ;; esac
    shift $((field_ - 1))
    stat_=$1 && say "$stat_"
}
start_time() { stat_field "$1" 20; }
itself() { start_time $$ >/dev/null; boot_id >/dev/null; mine="$$ $stat_ $boot_"; } # PID START BOOT
# lives PID START BOOT: whether this process still runs; START and BOOT tell it from a later process.
lives() {
    [ -n "$1" ] && [ -n "$2" ] && [ -e "/proc/$1" ] && boot_id >/dev/null && start_time "$1" >/dev/null &&
        [ "$3" = "$boot_" ] && [ "$2" = "$stat_" ]
}

# regular PATH: set "file_" to PATH, or /dev/null where it is no file: a pipe would block for ever.
regular() { if [ -f "$1" ]; then file_=$1; else file_=/dev/null; fi; }
first_of() { # first_of FILE: its first line into "status_"
    regular "$1"
    IFS= read -r status_ 2>/dev/null <"$file_" || status_=''
}

# The lock of a workspace is a file of lines "WORD VALUE": run, host, user, pid, since (who asked),
# then anchor, start, boot: the process that lives as long as the run.
holds_lock() { read_lock "$2" && [ "$holder" = "$1" ]; } # holds_lock RUN LOCK
give_back() { if holds_lock "$1" "$2"; then rm -f -- "$2"; fi; } # give_back RUN LOCK
read_lock() { # read_lock LOCK: sets holder, anchor, start, boot; empty where they cannot be read
    holder='' anchor='' start='' boot=''
    regular "$1"
    while IFS=' ' read -r word value; do
        case $word in run) holder=$value ;; anchor) anchor=$value ;; esac
        case $word in start) start=$value ;; boot) boot=$value ;; esac
    done 2>/dev/null <"$file_"
}

# standing_of TRANSACTION: print its status; "broken" where the status cannot be read any more. Fails
# where no process ever had the transaction: then it changed nothing.
standing_of() {
    first_of "$1/status"
    case ${status_%% *} in
        activating | activated | keeping | kept | undoing | undone | broken) say "$status_" ;;
        *) [ -e "$1/process" ] && say "broken its record is damaged: $1/status" ;;
    esac
}
# parts_of TRANSACTION: print "PART STATE" for each part of a change. STATE: in-force, undone or broken.
# Each part can be undone alone: nixos, home-manager, plasma+session (which share one record).
parts_of() {
    first_of "$1/status"
    regular "$1/plan" && damaged_=yes
    while IFS=' ' read -r word _; do
        case $word in
            nixos | system) part_line "$1" nixos system ;;
            home-manager | home) part_line "$1" home-manager home ;;
            live) part_line "$1" plasma+session live ;;
            *) false ;;
        esac && damaged_=no
    done 2>/dev/null <"$file_"
    [ "$damaged_" = no ] || [ ! -f "$1/parts" ] || # the noted parts tell
        grep -xE '(nixos|home-manager|plasma[+]session) (in-force|undone|broken)' "$1/parts" 2>/dev/null
}
part_line() { # part_line TRANSACTION PART OLD_WORD: "PART STATE" as noted, unless all of it is undone
    case $status_ in undone*) file_=/dev/null ;; *) regular "$1/parts" ;; esac # a cut off undo notes none
    while IFS= read -r noted_; do
        case $noted_ in "$2 in-force" | "$2 undone" | "$2 broken") say "$noted_" && return ;; esac
    done 2>/dev/null <"$file_"
    say "$2 $(state_of "$2" "$3")"
}
state_of() { # state_of PART OLD_WORD: "PART STATE" from the status, for a record without a list of parts
    case $status_ in undone*) say undone && return ;; broken*) say broken && return ;; esac
    case $status_ in *' rolled back: '*) ;; *) say in-force && return ;; esac
    for one in $(say "$status_" | tr ';' '\n' | sed -n 's/^ rolled back: //p'); do
        if [ "$one" = "$1" ] || [ "$one" = "$2" ]; then say undone && return; fi
    done
    say in-force
}

# leave_git_alone: keep git, also when Nix calls it, from refreshing the index of a repository and from
# running a program that the repository names.
leave_git_alone() {
    unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_EXTERNAL_DIFF GIT_EXTERNAL_DIFF_TRUST_EXIT_CODE
    unset GIT_CONFIG_PARAMETERS GIT_COMMON_DIR GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES
    GIT_OPTIONAL_LOCKS=0 GIT_CONFIG_COUNT=4
    GIT_CONFIG_KEY_0=diff.autoRefreshIndex GIT_CONFIG_VALUE_0=false
    GIT_CONFIG_KEY_1=core.fsmonitor GIT_CONFIG_VALUE_1=false
    GIT_CONFIG_KEY_2=core.hooksPath GIT_CONFIG_VALUE_2=/dev/null
    GIT_CONFIG_KEY_3=log.showSignature GIT_CONFIG_VALUE_3=false
    export GIT_OPTIONAL_LOCKS GIT_CONFIG_COUNT GIT_CONFIG_KEY_0 GIT_CONFIG_VALUE_0
    export GIT_CONFIG_KEY_1 GIT_CONFIG_VALUE_1 GIT_CONFIG_KEY_2 GIT_CONFIG_VALUE_2
    export GIT_CONFIG_KEY_3 GIT_CONFIG_VALUE_3
}
# fetch_nothing: keep git from fetching. For an object that a partial clone lacks, git would fetch by
# programs that the clone names; before 2.45 only the switch for all protocols prevents this.
fetch_nothing() { export GIT_NO_LAZY_FETCH=1 GIT_ALLOW_PROTOCOL=none; }
# guarded_git: print a program that calls git so that nothing in a repository runs a program: no filter
# (of the user's configuration either), no monitor, hook or helper, and no program to fetch with. What
# the user configured for all repositories (scope global, system) to fetch with stays. At each call the
# program asks git, with the call's own options, for the configuration that counts there.
guarded_git() {
    cat <<'GUARDED'
count=0 valued=no
for word do
    if [ "$valued" = yes ]; then
        valued=no
    else
        case $word in
            -C | -c | --git-dir | --work-tree | --namespace | --super-prefix) valued=yes ;;
            --config-env | --attr-source | --shallow-file) valued=yes ;;
            -*) ;;
            *) break ;;
        esac
    fi
    count=$((count + 1))
done
keys=$(
    [ "$count" -lt "$#" ] || exit 0 # no command, as git --version
    at=0
    for word do
        at=$((at + 1))
        if [ "$at" = 1 ]; then set --; fi
        if [ "$at" -le "$count" ]; then set -- "$@" "$word"; fi
    done
    "$WORKSPACE_GIT" "$@" config --show-scope --name-only --get-regexp \
        '^filter\.|^core\.sshcommand$|^remote\..*\.(uploadpack|vcs)$|^diff\..*trustexitcode$' 2>/dev/null
    [ "$?" != 129 ] || echo "local too.old"
)
number=${GIT_CONFIG_COUNT:-0}
with() {
    export "GIT_CONFIG_KEY_$number=$1" "GIT_CONFIG_VALUE_$number=$2"
    number=$((number + 1))
}
with core.fsmonitor false
with core.hooksPath /dev/null
with credential.helper ''
with protocol.ext.allow never
with diff.trustExitCode false
set -f
IFS='
'
for line in $keys; do
    key=${line#*[!a-z]} # behind the scope
    case $line in [gsc]*[!a-z]core.sshcommand) continue ;; esac
    case $key in
        too.old) echo "git is older than 2.26, and would run programs of a repository" >&2 && exit 128 ;;
        *.required | *.trustexitcode) with "$key" false ;;
        remote.*.uploadpack) with "$key" git-upload-pack ;;
        core.sshcommand) with "$key" ssh ;;
        *) with "$key" '' ;;
    esac
done
export GIT_CONFIG_COUNT="$number" GIT_TERMINAL_PROMPT=0 GIT_ASKPASS=false SSH_ASKPASS=false
export GIT_NO_LAZY_FETCH=1 GIT_PROXY_COMMAND=
exec "$WORKSPACE_GIT" "$@"
GUARDED
}
# run_nothing_of_git: make Nix find the guarded program as its git, and git find it as its own, since
# git starts itself for a submodule. (Before 2.20 Nix lets git look at files of any repository that a
# flake names.) Sets "guard", a directory that the caller removes.
run_nothing_of_git() {
    guard=''
    WORKSPACE_GIT=$(command -v git) || return 0
    for place_ in "${XDG_RUNTIME_DIR:-/nowhere}" "${TMPDIR:-/tmp}" /var/tmp "$HOME"; do
        if swappable "$place_" >/dev/null; then continue; fi
        guard=$(mktemp -d "$place_/workspace-git.XXXXXX" 2>/dev/null) || continue
        export WORKSPACE_GIT
        ln -s "$("$WORKSPACE_GIT" --exec-path)"/* "$guard"
        rm -f -- "$guard/git"
        { say '#!/bin/sh' && guarded_git; } >"$guard/git"
        chmod 700 -- "$guard/git"
        if "$guard/git" --version >/dev/null 2>&1; then # fails where TMPDIR forbids programs
            PATH=$guard:$PATH GIT_EXEC_PATH=$guard
            export PATH GIT_EXEC_PATH
            return 0
        fi
        rm -rf -- "$guard"
    done
    rm -rf -- "$guard"
    stop 70 "git cannot be kept from programs of your repositories: there is no place for a program"
}
flakes() { nix --extra-experimental-features 'nix-command flakes' "$@"; }
cm() { # cm ARGUMENT...: run chezmoi so that it asks no person, fetches nothing and collects no garbage
    GOGC=off GOMEMLIMIT=256MiB chezmoi --no-tty --no-pager --color=false --progress=false \
        --refresh-externals=never "$@" </dev/null
}
# asked ARGUMENT...: set "answer" to chezmoi's output, without warnings; else "why".
asked() {
    answer=$(cm "$@" 2>/dev/null) && return 0
    why=$(cm "$@" 2>&1 >/dev/null | tail -n 1) # run it again for its error
    why=${why:-it gave no reason}
    return 1
}

# The home-manager generation within a generation of the system (files/nixos/home.nix).
HOME_WITHIN=etc/workspace-tuning/home
# home_unit USER: the unit by which the system activates it. A sign that is none of a unit's name is
# written as its number (systemd.unit(5); utils.escapeSystemdPath of nixpkgs).
home_unit() {
    say "home-manager-$(say "$1" | sed -e 's/\\/\\x5c/g' -e 's/-/\\x2d/g' -e 's/@/\\x40/g' \
        -e 's/+/\\x2b/g' -e 's/\$/\\x24/g' -e 's/^\./\\x2e/').service"
}
# The text of a function, also for a shell of the user's. of_home_manager PATH: whether the path, or a
# directory above it in the home, is a link of home-manager's: into the files of a generation in "store".
# shellcheck disable=SC2016 # expanded where it is a function
OF_HOME_MANAGER='of_home_manager() {
    above_=$1
    while [ "${above_%/}" != "${HOME%/}" ] && [ -n "$above_" ]; do
        if [ -L "$above_" ]; then
            case $(readlink -- "$above_") in "$store"/*-home-manager-files/* | "$store"/*/home-files/*)
                return 0 ;;
            esac
        fi
        above_=${above_%/*}
    done
    return 1
}'
