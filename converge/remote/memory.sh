# Read how much memory the desktop's programs and the wrapped applications use, and the history.
#
# usage: memory.sh HISTORY READINGS [NAME]...
#   HISTORY   file with the measurements of earlier runs
#   READINGS  how often to read, a second apart
#   NAME      of a process as in /proc/PID/comm, or of a slice: then every process below it
# Prints "process NAME PID START KB" for each process and reading, "available KB" and "total KB",
# "boot ID", "cpu MODEL", "history" and the base64 of the file, "end".
#
# KB is Pss + SwapPss of smaps_rollup: a page that n processes share counts as 1/n for each, and pages in
# zram count too, because memory that is swapped out is not saved.
history=$1 readings=$2
shift 2

say workspace-memory 1
say boot "$(boot_id)"
say cpu "$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)"
say total "$(sed -n 's/^MemTotal: *\([0-9]*\) kB$/\1/p' /proc/meminfo)"

# reading NAME PID: print one line; nothing where the process has ended or is another user's.
reading() {
    kb=$(awk '/^(Swap)?Pss:/ { sum += $2; seen = 1 } END { if (seen) print sum }' \
        "/proc/$2/smaps_rollup" 2>/dev/null)
    start=$(start_time "$2")
    if [ -n "$kb" ] && [ -n "$start" ]; then say process "$1" "$2" "$start" "$kb"; fi
}

while [ "$readings" -gt 0 ]; do
    for directory in /proc/[0-9]*; do
        comm=$(cat "$directory/comm" 2>/dev/null) || continue
        group=$(sed -n 's/^0:://p' "$directory/cgroup" 2>/dev/null)
        for name in "$@"; do
            case $name in
                *.slice) case $group/ in */"$name"/*) reading "$name" "${directory#/proc/}" ;; esac ;;
                *) if [ "$comm" = "$name" ]; then reading "$name" "${directory#/proc/}"; fi ;;
            esac
        done
    done
    say available "$(sed -n 's/^MemAvailable: *\([0-9]*\) kB$/\1/p' /proc/meminfo)"
    readings=$((readings - 1))
    if [ "$readings" -gt 0 ]; then sleep 1; fi
done

say history
if [ -f "$history" ] && [ -r "$history" ]; then base64 -w 65536 <"$history"; fi
say end
