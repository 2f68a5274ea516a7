# The graphics driver and what it decodes.
# shellcheck shell=sh disable=SC2154 # root, cap: common.sh

probe_nvidia() {
    need nvidia-smi
    nvidia-smi --format=csv \
        --query-gpu=name,compute_cap,driver_version,memory.total,memory.used,utilization.gpu
}
probe_pmon() {
    need nvidia-smi
    nvidia-smi pmon -c 1 -s u
}
# node VENDOR DEVICE SLOT: the render node of a card, by its PCI ids (as 0x10de 0x1401) and, where
# that is not enough, its address. An empty word fits every card.
node() {
    for file in "$root"/sys/class/drm/renderD*/device; do
        [ "$(first_line "$file/vendor")" = "$1" ] || continue
        case $2 in '' | "$(first_line "$file/device")") ;; *) continue ;; esac
        if [ -n "$3" ]; then
            link=$(readlink -f -- "$file")
            [ "${link##*/}" = "$3" ] || continue
        fi
        file=${file%/device}
        say "/dev/dri/${file##*/}"
        return 0
    done
    stop 121 "a render node of vendor $1${2:+, device $2}${3:+, at $3}"
}
probe_vainfo() { # vainfo VENDOR DEVICE SLOT DRIVER
    need vainfo
    node=$(node "$1" "$2" "$3") || exit
    say node "$node"
    LIBVA_DRIVER_NAME=$4 NVD_BACKEND=direct vainfo --display drm --device "$node" 2>&1
}
variable() { variables "$1" "$2" | tr -d '\0' | cut -d = -f 2-; }
probe_vdpauinfo() { # in the session's own display
    need vdpauinfo
    pid=$(session) || exit
    display=$(variable "$pid" DISPLAY) authority=$(variable "$pid" XAUTHORITY)
    [ -n "$display" ] || stop 123 'the session has no X display'
    DISPLAY=$display XAUTHORITY=$authority vdpauinfo 2>&1
}
# firefox VENDOR DEVICE SLOT DRIVER: Firefox's own test of the decoder, without opening a window
probe_firefox() {
    need firefox
    node=$(node "$1" "$2" "$3") || exit
    export LIBVA_DRIVER_NAME="$4"
    program=$(readlink -f -- "$(command -v firefox)")
    unwrapped=$(grep -ao '/nix/store/[0-9a-z]*-firefox-unwrapped-[^/"]*' "$program" | head -n 1)
    for directory in "${program%/*}" "${program%/*/*}"/lib/firefox* "$unwrapped"/lib/firefox; do
        if [ -x "$directory/vaapitest" ]; then
            "$directory/vaapitest" --drm "$node"
            return
        elif [ -x "$directory/gfxtest" ]; then # Firefox 159 and later
            "$directory/gfxtest" vaapi -d "$node"
            return
        fi
    done
    stop 120 "Firefox's vaapitest or gfxtest"
}
# playback VENDOR DEVICE SLOT DRIVER: four seconds of 1080p at their own speed, decoded on the GPU
probe_playback() {
    need ffmpeg
    node=$(node "$1" "$2" "$3") || exit
    work_directory
    ffmpeg -v error -nostdin -f lavfi -i testsrc2=size=1920x1080:rate=30:duration=4 \
        -c:v libx264 -preset ultrafast -pix_fmt yuv420p clip.mkv || return
    # A GPU frame format: without a hardware decoder this fails, and does not decode on the CPU.
    LIBVA_DRIVER_NAME=$4 NVD_BACKEND=direct ffmpeg -v info -nostdin -benchmark -re \
        -hwaccel vaapi -hwaccel_device "$node" -hwaccel_output_format vaapi -i clip.mkv \
        -vf scale_vaapi=w=1920:h=1080 -f null - 2>&1
}
