# Measure times and CPU use that a person feels, and print a few readings of each.
#
# usage: felt.sh READINGS PROGRAM...
#   READINGS  number for each figure; PROGRAM  started with --version: the first that exists
# Prints "program PATH", "felt NAME VALUE" for each reading (milliseconds; of video, percent of one
# CPU), or "without NAME WHY", then "end".
#
#   warm   a start while the program and its libraries are in memory
#   cold   a start after their pages were dropped (dd nocache: those that nobody else uses)
#   short  a start beside a hog that needs twice the memory of their common scope, so that nothing else
#          of the session is short of memory; pages go to the machine's own swap and back
#   video  CPU use while four seconds of 1080p are decoded at their own speed, by the GPU where ffmpeg
#          finds a decoder
# Each time includes one start of date, a millisecond or two.
readings=$1
shift
limit=60 # seconds for one start
room=256 # MB of the scope; the hog asks for twice as much

program=''
for name in "$@"; do
    if program=$(command -v -- "$name"); then break; fi
done
work=$(mktemp -d "${XDG_RUNTIME_DIR:-${TMPDIR:-/tmp}}/workspace-tuning.XXXXXX") ||
    stop 70 'no directory to work in'
trap 'rm -rf -- "$work"' EXIT
trap 'exit 129' HUP INT TERM
export QT_QPA_PLATFORM=offscreen LC_ALL=C

# This program also runs inside the scope: sh STARTS LIMIT READINGS PROGRAM. It prints a line for each
# start: nanoseconds, or "failed".
cat >"$work/starts" <<'END'
limit=$1 readings=$2 program=$3
while [ "$readings" -gt 0 ]; do
    readings=$((readings - 1))
    begin=$(date +%s%N)
    if timeout -k 1 "$limit" "$program" --version </dev/null >/dev/null 2>&1; then
        echo "$(($(date +%s%N) - begin))"
    else
        echo failed
    fi
done
END
# hog READINGS...: hold different strings and read them again and again, with the starts beside.
cat >"$work/short" <<'END'
starts=$1 megabytes=$2
shift 2
awk -v megabytes="$megabytes" 'BEGIN {
    for (i = 0; i < megabytes * 256; i++) held[i] = sprintf("%0128d%3800d", i * 7919, i)
    print "ready"; fflush()
    for (;;) for (i = 0; i < megabytes * 256; i++) sum += length(held[i])
}' >"$starts.ready" &
hog=$!
until [ -s "$starts.ready" ]; do
    kill -0 "$hog" 2>/dev/null || exit 3
    sleep 0.2
done
sh "$starts" "$@"
kill -0 "$hog" 2>/dev/null || code=3
kill "$hog" 2>/dev/null
exit "${code:-0}"
END

last_error() { tail -n 1 "$work/errors" | grep . || say 'it gave no reason'; }
# tell NAME: lines of nanoseconds become readings in milliseconds
tell() {
    while IFS= read -r nanoseconds; do
        case $nanoseconds in
            failed | '') say without "$1" "$program --version fails" && return ;;
            *) say felt "$1" "$(awk -v n="$nanoseconds" 'BEGIN { printf "%.3f", n / 1e6 }')" ;;
        esac
    done
}
# files: print the program, the program that it wraps, and the libraries that the loader takes
files() {
    for file in "$(readlink -f -- "$program")" "${program%/*}/.${program##*/}-wrapped"; do
        [ -e "$file" ] || continue
        say "$file"
        timeout -k 1 5 env LD_TRACE_LOADED_OBJECTS=1 "$file" </dev/null 2>/dev/null |
            sed -n 's/^.* => \(\/[^ ]*\) .*$/\1/p'
    done
}
cold() {
    turn=0
    while [ "$turn" -lt "$readings" ]; do
        turn=$((turn + 1))
        files | while IFS= read -r file; do
            dd if="$file" iflag=nocache count=0 2>/dev/null
        done
        sh "$work/starts" "$limit" 1 "$program"
    done
}
short() {
    command -v systemd-run >/dev/null || { say without short 'systemd-run is not there' && return; }
    tail -n +2 /proc/swaps 2>/dev/null | grep -q . ||
        { say without short 'no swap is in use, so a hog would only be ended' && return; }
    answer=$(timeout -k 5 300 systemd-run --user --scope --quiet -p MemoryMax="${room}M" \
        -p MemorySwapMax="$((4 * room))M" sh "$work/short" "$work/starts" "$((2 * room))" \
        "$limit" "$readings" "$program" 2>"$work/errors")
    case $? in
        0) printf '%s\n' "$answer" | tell short ;;
        3) say without short 'the hog was ended: the scope has too little swap' ;;
        *) say without short "$(last_error)" ;;
    esac
}
video() {
    command -v ffmpeg >/dev/null || { say without video 'ffmpeg is not there' && return; }
    ffmpeg -v error -nostdin -f lavfi -i testsrc2=size=1920x1080:rate=30:duration=4 \
        -c:v libx264 -preset ultrafast -pix_fmt yuv420p "$work/clip.mkv" 2>"$work/errors" ||
        { say without video "$(last_error)" && return; }
    turn=0
    while [ "$turn" -lt "$readings" ]; do
        turn=$((turn + 1))
        ffmpeg -v info -nostdin -benchmark -re -hwaccel auto -i "$work/clip.mkv" -f null - 2>&1 |
            sed -n 's/^bench: utime=\([0-9.]*\)s stime=\([0-9.]*\)s rtime=\([0-9.]*\)s.*$/\1 \2 \3/p' |
            awk '$3 > 0 { printf "felt video %.3f\n", 100 * ($1 + $2) / $3 }'
    done
}

say workspace-felt 1
if [ -z "$program" ]; then
    for name in warm cold short; do say without "$name" 'no program of the desktop is there'; done
else
    say program "$program"
    sh "$work/starts" "$limit" 1 "$program" >/dev/null
    sh "$work/starts" "$limit" "$readings" "$program" | tell warm
    cold | tell cold
    short
fi
video
say end
