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
    likely='' alone='' removes=no number=0
    if [ -z "$sources" ]; then
        sources=$(cm source-path 2>/dev/null)
        survey
    fi
    if [ -z "$sources" ] || has_seen removes; then removes=yes; fi
    set -f
    IFS=$newline
    for target in $targets; do
        number=$((number + 1))
        # A guess; chezmoi itself gives the answer.
        if has_seen "has $number"; then
            likely=$likely$target$newline
        else
            alone=$alone$target$newline
        fi
    done
    unset IFS
    set +f
    if [ -z "$alone" ]; then
        together "$likely"
    else
        each ask_chezmoi "$alone" | {
            if [ -n "$likely" ]; then together "$likely"; fi
            cat
        }
    fi
}
# each FUNCTION LINES: call the function with each line, side by side; each output stays in one piece.
each() {
    [ -n "$2" ] || return 0
    "$1" "${2%%"$newline"*}" | {
        each "$1" "${2#*"$newline"}"
        cat
    }
}
# together TARGETS: a line each. chezmoi answers in the order of the targets' names. Where a source does
# not end with its target's name, the order is another one, and each target is asked alone.
together() {
    in_order "$1"
    set -f
    IFS=$newline
    # shellcheck disable=SC2086 # one argument for each line
    set -- $ordered
    unset IFS
    set +f
    pairs=''
    if said=$(cm source-path "$@" 2>/dev/null); then
        while IFS= read -r source; do
            if [ "$#" = 0 ]; then pairs='' && break; fi # more answers than questions
            name=${1##*/} named=${source%.tmpl}
            case $named in *"${name#.}") pairs=$pairs$1$tab$source$newline ;; *) break ;; esac
            shift
        done <<LINES
$said
LINES
        if [ "$#" != 0 ]; then pairs=''; fi
    fi
    if [ -z "$pairs" ]; then each ask_chezmoi "$ordered" && return; fi
    set -f
    IFS=$newline
    for pair in $pairs; do
        unset IFS
        answered "${pair%%"$tab"*}" "${pair#*"$tab"}"
        IFS=$newline
    done
    unset IFS
    set +f
    differing "$pairs"
    each ask_record "$differ"
}
# in_order LINES: set "ordered" to the lines, sorted by their bytes.
in_order() {
    ordered='' waiting=$1
    while [ -n "$waiting" ]; do
        one=${waiting%%"$newline"*} waiting=${waiting#*"$newline"} before='' after=$ordered
        while [ -n "$after" ]; do
            # shellcheck disable=SC3012 # dash, ash and bash have it, and POSIX since 2024
            if [ "${after%%"$newline"*}" \> "$one" ]; then break; fi
            before=$before${after%%"$newline"*}$newline after=${after#*"$newline"}
        done
        ordered=$before$one$newline$after
    done
}
answered() { # answered TARGET SOURCE: in plain letters where they have no others
    case $1$2 in
        *[!\ -~]*) printf 'chezmoi %s\t0\t%s\t\n' "$1" "$(say "$2" | base64 -w 0)" ;;
        *) printf 'chezmoi_source %s\t%s\n' "$1" "$2" ;;
    esac
}
# differing PAIRS: set "differ" to the lines TARGET-TAB-SOURCE whose two files are not known to be the
# same. All files are read by one program.
differing() {
    set -f
    IFS=$newline
    # shellcheck disable=SC2086 # one argument for each line
    set -- $1
    pairs='' differ='' count=$#
    for pair do
        if [ -f "${pair%%"$tab"*}" ] && [ -f "${pair#*"$tab"}" ]; then
            set -- "$@" "${pair%%"$tab"*}" "${pair#*"$tab"}"
            pairs=$pairs$pair$newline
        else
            differ=$differ$pair$newline
        fi
    done
    unset IFS
    set +f
    shift "$count"
    if [ "$#" = 0 ]; then return 0; fi
    sums=$(sha256sum -- "$@" 2>/dev/null) || sums=''
    while [ -n "$pairs" ]; do
        one=${sums%%"$newline"*} sums=${sums#*"$newline"}
        other=${sums%%"$newline"*} sums=${sums#*"$newline"}
        one=${one#\\} other=${other#\\} # before a name that is written with escapes
        if [ "${one%% *}" != "${other%% *}" ] || [ -z "$one" ]; then
            differ=$differ${pairs%%"$newline"*}$newline
        fi
        pairs=${pairs#*"$newline"}
    done
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
    mkdir -p -- "$place${name%/*}" && true >"$place$name" &&
        said=$(answer_of chezmoi "$1" source-path --destination "$place" "$place$name")
    rm -rf -- "$place"
    case $(printf '%s' "${said##*"$tab"}" | base64 -d) in
        *": not in source state") say "$said" ;;
        *) return 1 ;;
    esac
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
        -k) absolute "$2" && targets=$targets$path$newline ;;
        -c) programs=$2 ;;
    esac
    shift 2
done
if command -v chezmoi >/dev/null 2>&1; then managed; else without_chezmoi; fi
say "managed end"
