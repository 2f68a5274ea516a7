# Ask chezmoi about KDE files: the source of each, and what chezmoi wrote last where file and source
# differ. Each answer has exit code, output and errors, so that a failure is never taken for "not
# managed". This part of a reading takes longest, so it runs beside the rest; read.sh gets its lines on
# standard input.
#
# usage: managed.sh ROOT [-k KDE_FILE]... [-f FILE]... [-d DIRECTORY]... [-c run]
#   -c run    chezmoi may run programs that its configuration and its templates name. Without it, a file
#             whose source chezmoi could not tell otherwise has the line "chezmoi_runs TARGET WHY".

managed() {
    what_runs
    if [ -z "$runs" ] || [ "$programs" = run ]; then
        asked_about
        return
    fi
    runs=$(printf '%s' "$runs" | base64 -w 0)
    each left_alone "$targets"
}
left_alone() { # left_alone TARGET
    if may_have "$1"; then printf 'chezmoi_runs %s\t%s\n' "$1" "$runs"; fi
}
# The start of chezmoi takes long, so all files that seem to have a source are asked in one call, and
# each other file alone. If that call fails, each file is asked alone.
asked_about() {
    likely='' alone='' removes=no
    if [ -z "$sources" ]; then sources=$(cm source-path 2>/dev/null); fi
    if removes_some; then removes=yes; fi
    set -f
    IFS=$newline
    for target in $targets; do
        if has_source "$target"; then
            likely=$likely$target$newline
        else
            alone=$alone$target$newline
        fi
    done
    unset IFS
    set +f
    each ask_chezmoi "$alone" | {
        if [ -n "$likely" ]; then together "$likely"; fi
        cat
    }
}
# each FUNCTION LINES: call the function with each line, side by side; each output stays in one piece.
each() {
    [ -n "$2" ] || return 0
    "$1" "${2%%"$newline"*}" | {
        each "$1" "${2#*"$newline"}"
        cat
    }
}
has_source() { # has_source TARGET: a guess; chezmoi itself gives the answer
    [ -n "$sources" ] && [ -n "$(find "$sources/" -name .git -prune -o \
        -path "*dot_config/*${1##*/}*" -type f -print -quit 2>/dev/null)" ]
}
# together TARGETS: a line each. chezmoi answers in the order of the targets' names. Where a source does
# not end with its target's name, the order is another one, and each target is asked alone.
together() {
    targets=$(printf '%s' "$1" | sort)$newline
    set -f
    IFS=$newline
    # shellcheck disable=SC2086 # one argument for each line
    set -- $targets
    unset IFS
    set +f
    pairs=''
    if sources=$(cm source-path "$@" 2>/dev/null) && [ "$(say "$sources" | wc -l)" = "$#" ]; then
        while IFS= read -r source; do
            name=${1##*/} named=${source%.tmpl}
            case $named in *"${name#.}") pairs=$pairs$1$tab$source$newline ;; *) pairs='' && break ;; esac
            shift
        done <<LINES
$sources
LINES
    fi
    if [ -z "$pairs" ]; then each ask_chezmoi "$targets" && return; fi
    each answered "$pairs"
}
answered() { # answered TARGET-TAB-SOURCE
    printf 'chezmoi %s\t0\t%s\t\n' "${1%%"$tab"*}" "$(say "${1#*"$tab"}" | base64 -w 0)"
    ask_record "$1"
}
ask_chezmoi() { # ask_chezmoi TARGET
    if [ "$removes" = yes ] && [ ! -e "$1" ] && [ ! -L "$1" ] && ask_elsewhere "$1"; then return; fi
    answer_of chezmoi "$1" source-path "$1"
    if [ "$code" = 0 ]; then ask_record "$1$tab$(printf '%s' "$output" | base64 -d)"; fi
}
# ask_elsewhere TARGET: chezmoi only names existing files that it would remove. So a file that does not
# exist is made in a directory of its own and asked for there, and only "it removes" is taken from it.
ask_elsewhere() {
    case $1 in "$HOME"/*) name=${1#"$HOME"} ;; *) return 1 ;; esac
    place=$(mktemp -d) || return 1
    mkdir -p -- "$place${name%/*}" && : >"$place$name" &&
        said=$(answer_of chezmoi "$1" source-path --destination "$place" "$place$name")
    rm -rf -- "$place"
    case $(printf '%s' "${said##*"$tab"}" | base64 -d) in
        *": not in source state") say "$said" ;;
        *) return 1 ;;
    esac
}
removes_some() { # whether chezmoi removes files that it has no source of
    [ -z "$sources" ] || [ -n "$(find "$sources/" -name .git -prune -o \
        \( -type d -name '*exact_*' -o -name '.chezmoiremove*' \) -print -quit 2>/dev/null)" ]
}
ask_record() { # ask_record TARGET-TAB-SOURCE: what chezmoi wrote last, where the two files differ
    target=${1%%"$tab"*} source=${1#*"$tab"}
    if same "$target" "$source"; then return 0; fi
    answer_of chezmoi_entry "$target" state get --bucket=entryState --key="$target"
    stamp=$(printf '%s' "$output" | base64 -d |
        sed -n 's/.*"contentsSHA256": *"\([0-9a-f]\{64\}\)".*/\1/p')
    if [ -n "$stamp" ] && ! has "$stamp" "$target" && ! has "$stamp" "$source"; then
        base=$(base_of "$stamp" "$source" | base64 -w 0)
        if [ -n "$base" ]; then printf 'chezmoi_base %s\t%s\n' "$target" "$base"; fi
    fi
}
answer_of() { # answer_of WORD TARGET ARGUMENT...: prints the answer; sets code and output
    word=$1 target=$2
    shift 2
    all=$(frame cm "$@")
    output=${all%% *} errors=${all##* } code=${all#* }
    output=${output#=} errors=${errors#=} code=${code%% *}
    printf '%s %s\t%s\t%s\t%s\n' "$word" "$target" "$code" "$output" "$errors"
}
has() { [ -f "$2" ] && [ "$(sha256sum <"$2")" = "$1  -" ]; } # has DIGEST PATH
# base_of DIGEST SOURCE: print the bytes that chezmoi wrote last, from a record of a run or from the
# source's git history.
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
# Without chezmoi, name each source of a KDE file: the run could not keep file and source in step.
without_chezmoi() {
    directory=${XDG_DATA_HOME:-$HOME/.local/share}/chezmoi
    [ -d "$directory" ] || return 0
    set -f
    IFS=$newline
    for target in $targets; do
        source=$(find "$directory" -path "*dot_config/*${target##*/}*" -type f 2>/dev/null | head -n 1)
        if [ -n "$source" ]; then printf 'chezmoi_missing %s\t%s\n' "$target" "$source"; fi
    done
    unset IFS
    set +f
}

leave_git_alone
fetch_nothing
targets='' programs=left
while [ "$#" -gt 1 ]; do
    case $1 in
        -k) targets=$targets$(absolute "$2")$newline ;;
        -c) programs=$2 ;;
    esac
    shift 2
done
if command -v chezmoi >/dev/null 2>&1; then managed; else without_chezmoi; fi
say "managed end"
