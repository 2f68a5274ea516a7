# Time the same work with two builds of a program, in alternation, and print every sample.
#
# usage: measure.sh ROUNDS SECONDS STOCK OPTIMIZED STOCK_LIBRARIES OPTIMIZED_LIBRARIES [ARGUMENT]...
#   ROUNDS       pairs to take; SECONDS  after which no further pair begins
#   STOCK, ...   the two programs: absolute paths, or a name that is looked up in PATH
#   *_LIBRARIES  directory that the loader searches first, or a library to put there, or ""
#   ARGUMENT     given to both; "@text" is a file of 8 MB made here, "@prefix" the directory above
#                the stock program's bin, "@library" the directory of copied libraries of each
# Prints "cpu MODEL", "load LOAD", "clock cpu|wall", "result stock|optimized STATUS DIGEST USER SYSTEM
# SECONDS" for one run of each that does not count; for each pair "pair FIRST" and two lines "sample
# stock|optimized USER SYSTEM SECONDS"; then "done". Exit: 0 done, 69 a program is missing, 70 failed.
#
# The order changes with every pair (stock optimized, optimized stock, ...), so that a drift, such as a
# falling clock or a filling cache, favours neither. USER and SYSTEM are the CPU time of the program as
# `times` prints it (0m0.421s). SECONDS are of the monotonic clock: dd starts with the program, ends when
# the program closes the pipe, and prints the time between. bash tells CPU time to a millisecond: "clock
# cpu". Without bash there are steps of 10 ms, which are too coarse: "clock wall".
#
# The programs that run are copies, made anew for every pair in the order in which they run. The same
# bytes can be 10 % slower from another file, depending on the pages that hold the file in memory: a
# program that was written today has other pages than one that was read at boot.
rounds=$1 seconds=$2 stock=$3 optimized=$4 stock_libraries=$5 optimized_libraries=$6
shift 6
limit=120 # seconds for one run of a program

for program in "$stock" "$optimized"; do
    command -v -- "$program" >/dev/null || stop 69 "$program is not on the workspace"
done
stock=$(command -v -- "$stock")
optimized=$(command -v -- "$optimized")
prefix_of() {
    file=$(readlink -f -- "$1") || stop 69 "$1 cannot be read"
    say "${file%/*/*}"
}
prefix=$(prefix_of "$stock")

work=$(mktemp -d "${XDG_RUNTIME_DIR:-${TMPDIR:-/tmp}}/workspace-tuning.XXXXXX") ||
    stop 70 "no directory for the text to work on"
trap 'rm -rf -- "$work"' EXIT
trap 'exit 129' HUP INT TERM

# A text of words with frequencies as in a language, of numbers, and of lines as in a log. Its bytes are
# the same on every machine: whole numbers stay below 2^53, and no mathematical library is used.
# shellcheck disable=SC2016 # the program is awk's
awk 'function next_number() { x = (x * 16807) % 2147483647; return x }
function share(times,    r, result) {
    r = next_number() / 2147483647
    for (result = 1; times > 0; times--) result *= r
    return result
}
BEGIN {
    x = 20240229
    for (i = 0; i < 4000; i++) {
        word = ""
        for (n = 2 + next_number() % 9; n > 0; n--) {
            word = word substr("etaoinshrdlucmfwypvbgkqjxz", 1 + int(26 * share(2)), 1)
        }
        words[i] = word
    }
    split("info info info info debug debug warning error", levels, " ")
    for (size = 0; size < 8000000; size += length(line) + 1) {
        line = sprintf("%07d %s %s:", next_number() % 9999999, levels[1 + next_number() % 8], words[next_number() % 40])
        for (n = 3 + next_number() % 12; n > 0; n--) {
            line = line " " words[int(4000 * share(3))]
        }
        if (next_number() % 3 == 0) { line = line sprintf(" %d %x", next_number() % 1000, next_number()) }
        print line
    }
}' >"$work/text" || stop 70 "the text to work on cannot be made"

# loaded PROGRAM LIBRARIES: print the path of every library that the loader would take; of a script,
# those of its interpreter; of a static program, none.
loaded() {
    # A static program has no loader, so it runs here, without input.
    timeout -k 1 5 env "LD_LIBRARY_PATH=$2" LD_TRACE_LOADED_OBJECTS=1 "$1" </dev/null 2>/dev/null |
        while read -r _ arrow path _; do
            if [ "$arrow" = '=>' ] && [ -f "$path" ]; then readlink -f -- "$path"; fi
        done
}
# own_libraries WHICH: print the libraries that only this build loads, a line each.
loaded "$stock" "$stock_libraries" >"$work/stock.all"
loaded "$optimized" "$optimized_libraries" >"$work/optimized.all"
own_libraries() {
    case $1 in
        stock) other=optimized libraries=$stock_libraries ;;
        *) other=stock libraries=$optimized_libraries ;;
    esac
    grep -vxF -f "$work/$other.all" "$work/$1.all"
    if [ -f "$libraries" ]; then say "$libraries"; fi
}
own_libraries stock >"$work/stock.own"
own_libraries optimized >"$work/optimized.own"

# fresh_copy WHICH: copy the program and its own libraries below $work/1 or $work/2, and link the
# directories that a program looks for beside itself (lib/python3.13).
fresh_copy() {
    case $1 in stock) to=$work/1 program=$stock ;; *) to=$work/2 program=$optimized ;; esac
    rm -rf -- "$to"
    mkdir -p -- "$to/bin" "$to/lib" || stop 70 "$to cannot be made"
    cp -- "$program" "$to/bin/${program##*/}" || stop 70 "$program cannot be copied"
    while IFS= read -r library; do
        cp -- "$library" "$to/lib/" || stop 70 "$library cannot be copied"
    done <"$work/$1.own"
    for library in "$to"/lib/*.so.*; do # the loader asks for libz.so.1, the file is libz.so.1.3
        [ -f "$library" ] || continue
        short=${library%%.so.*}.so
        for part in $(say "${library#"$short"}" | tr . ' '); do
            short=$short.$part
            [ -e "$short" ] || ln -s -- "${library##*/}" "$short"
        done
    done
    for directory in "$(prefix_of "$program")"/lib/*/; do
        [ ! -d "$directory" ] || ln -s -- "${directory%/}" "$to/lib/"
    done
    say "$to/bin/${program##*/}"
}

# The program runs as the only child of a shell, which then prints the status and the times.
# shellcheck disable=SC2016 # the program is the shell's
watch='output=$1; shift; "$@" </dev/null >"$output" 2>/dev/null 3>&-; echo $? >&3; times >&3'
clock=cpu
shell=$(command -v bash) || { clock=wall && shell=$(command -v sh); }

# run OUTPUT PROGRAM [ARGUMENT]...: replace the placeholders by paths, then start that shell.
run() {
    output=$1 libraries=${2%/bin/*}/lib
    shift
    count=$#
    while [ "$count" -gt 0 ]; do
        case $1 in
            @text) set -- "$@" "$work/text" ;;
            @library) set -- "$@" "$libraries" ;;
            @prefix) set -- "$@" "$prefix" ;;
            @prefix/*) set -- "$@" "$prefix/${1#@prefix/}" ;;
            *) set -- "$@" "$1" ;;
        esac
        shift
        count=$((count - 1))
    done
    exec "$shell" -c "$watch" watch "$output" timeout -k 5 "$limit" \
        env "LD_LIBRARY_PATH=$libraries" "$@"
}
# timed OUTPUT PROGRAM [ARGUMENT]...: sets status and took (USER SYSTEM SECONDS).
timed() {
    answer=$({ (run "$@") 3>&1 >/dev/null | dd; } 2>&1)
    # Lines: the status, the shell's own times, the times of its children, and the line of dd.
    status=${answer%%"$newline"*}
    answer=${answer#*"$newline"}
    answer=${answer#*"$newline"}
    elapsed=${answer##* copied, }
    took="${answer%%"$newline"*} ${elapsed%% s*}"
    case $took in
        *m*s\ *m*s\ [0-9]*) ;;
        *) stop 70 "how long a program ran cannot be read: $took" ;;
    esac
}

say cpu "$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)"
say load "$(cut -d ' ' -f 1 /proc/loadavg)"
say clock "$clock"
for which in stock optimized; do
    copy=$(fresh_copy "$which") || { say "$copy" && exit 70; }
    timed "$work/output" "$copy" "$@"
    digest=$(sha256sum <"$work/output")
    say result "$which" "$status" "${digest%% *}" "$took"
    [ "$status" = 0 ] || stop 70 "the $which build ended with exit code $status"
done
rm -f -- "$work/output"

end=$(($(uptime_s) + seconds))
round=0
while [ "$round" -lt "$rounds" ] && [ "$(uptime_s)" -lt "$end" ]; do
    round=$((round + 1))
    order='stock optimized'
    if [ $((round % 2)) = 0 ]; then order='optimized stock'; fi
    say pair "${order%% *}"
    for which in $order; do
        copy=$(fresh_copy "$which") || { say "$copy" && exit 70; }
        timed /dev/null "$copy" "$@"
        say sample "$which" "$took"
        [ "$status" = 0 ] || stop 70 "the $which build ended with exit code $status in round $round"
    done
done
say 'done'
