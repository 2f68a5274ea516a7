# Try the compressors of zram in alternation, each on the same pages of the user's own, and print every
# sample. It runs as root, because only root can make a device, and leaves the machine's swap alone.
#
# usage: choose.sh USER ROUNDS SECONDS TRIAL COMPRESSOR...
#   USER        pages are copied from the largest programs of this user
#   ROUNDS      rounds to take; SECONDS  after which no further round begins
#   TRIAL       a program that does one trial in place of a zram, or "": TRIAL COMPRESSOR prints
#               "SECONDS_WRITE SECONDS_READ PAGES BYTES_HELD"
#   COMPRESSOR  the one in use first
# Prints "cpu MODEL", "load LOAD", "lacks COMPRESSOR" for each that the kernel does not have, "round",
# then "trial COMPRESSOR WRITE READ PAGES HELD" of each, for each round, "done".
# Exit: 0 done, 69 this kernel cannot, 70 failed.
#
# 1. Copy at most 32 MB of anonymous memory, of mappings that are in memory almost wholly: a page that
#    nobody ever wrote is all zero, and every compressor is equally fast with it. The copy is in /run,
#    which is memory, readable for root alone, and is removed at the end.
# 2. Make a zram device. The order changes with every round, so that a drift favours no compressor.
# 3. A trial: set the device up anew, write the pages one by one past the page cache, read them back.
# The timed reads do what a swap-in does: one page through the block layer and the decompressor.
user=$1 rounds=$2 seconds=$3 trial=$4
shift 4
most=8192 least=1024 # pages of 4 KB

umask 077
work=$(mktemp -d /run/workspace-tuning.XXXXXX 2>/dev/null || mktemp -d) || stop 70 'no directory for the pages'
device=''
# shellcheck disable=SC2329 # the trap calls it
leave() {
    rm -rf -- "$work"
    [ -z "$device" ] || { echo 1 >"/sys/block/zram$device/reset" &&
        echo "$device" >/sys/class/zram-control/hot_remove; } 2>/dev/null
}
trap leave EXIT
trap 'exit 129' HUP INT TERM

# mappings PID: start and pages of its anonymous memory, of mappings that are in memory to 90 %.
mappings() {
    awk '/^[0-9a-f]+-[0-9a-f]+ / { split($1, ends, "-"); mine = ($2 ~ /^rw.p/ && $5 == 0); next }
        /^Size:/ { size = $2 }
        /^Rss:/ && mine && size >= 256 && $2 >= 0.9 * size { print ends[1], int(size / 4) }' \
        "/proc/$1/smaps" 2>/dev/null
}
own_pages() {
    number=$(id -u "$user") || stop 70 "$user: no such user"
    for directory in /proc/[0-9]*; do
        [ "$(stat -c %u -- "$directory" 2>/dev/null)" = "$number" ] || continue
        read -r _ resident _ 2>/dev/null <"$directory/statm" || continue
        say "$resident" "${directory#/proc/}"
    done | sort -rn | while read -r _ pid; do
        mappings "$pid" | while read -r start pages; do
            [ "$pages" -le 1024 ] || pages=1024 # so that many programs have a share
            dd if="/proc/$pid/mem" bs=4096 skip=$((0x$start / 4096)) count="$pages" 2>/dev/null
        done
    done | dd of="$work/pages" bs=4096 count="$most" iflag=fullblock 2>/dev/null
    size=$(stat -c %s -- "$work/pages")
    pages=$((size / 4096))
    [ "$pages" -ge "$least" ] ||
        stop 70 "$user has $pages pages in memory that could be tried; $least are the fewest"
}
prepare() {
    [ -w /sys/class/zram-control/hot_remove ] || stop 69 'the kernel has no zram, or this is not root'
    own_pages
    device=$(cat /sys/class/zram-control/hot_add) || stop 69 'the kernel makes no zram device'
    [ -b "/dev/zram$device" ] || stop 69 "/dev/zram$device is not there"
}
took() { # took COMMAND...: the seconds that dd prints
    answer=$(LC_ALL=C "$@" 2>&1) || stop 70 "$answer"
    answer=${answer##* copied, }
    say "${answer%% s*}"
}
# one_trial COMPRESSOR
one_trial() {
    if [ -n "$trial" ]; then
        "$trial" "$1" || stop 70 "$trial $1 failed"
        return
    fi
    place=/sys/block/zram$device
    {
        echo 1 >"$place/reset" && echo "$1" >"$place/comp_algorithm" &&
            echo "$size" >"$place/disksize"
    } || stop 70 "$1 could not be set up"
    {
        written=$(took dd if="$work/pages" of="/dev/zram$device" bs=4096 count="$pages" oflag=direct) &&
            back=$(took dd if="/dev/zram$device" of=/dev/null bs=4096 count="$pages" iflag=direct)
    } || stop 70 "$1: ${back:-$written}"
    read -r _ _ held _ <"$place/mm_stat"
    say "$written" "$back" "$pages" "$held"
}

if [ -z "$trial" ]; then prepare; fi
say cpu "$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)"
say load "$(cut -d ' ' -f 1 /proc/loadavg)"
for compressor in "$@"; do
    shift
    known=" $compressor "
    [ -n "$trial" ] || known=" $(tr -d '[]' <"/sys/block/zram$device/comp_algorithm") "
    case $known in
        *" $compressor "*) set -- "$@" "$compressor" ;;
        *) say lacks "$compressor" ;;
    esac
done

end=$(($(uptime_s) + seconds))
round=0
while [ "$round" -lt "$rounds" ] && [ "$(uptime_s)" -lt "$end" ]; do
    round=$((round + 1))
    say round
    for compressor in "$@"; do
        answer=$(one_trial "$compressor") || { say "$answer" && exit 70; }
        say trial "$compressor" "$answer"
    done
    first=$1
    shift
    set -- "$@" "$first"
done
say 'done'
