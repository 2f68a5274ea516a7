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
node() { # node VENDOR: the render node of a vendor (as 0x10de)
    for file in "$root"/sys/class/drm/renderD*/device/vendor; do
        if [ "$(first_line "$file")" = "$1" ]; then
            file=${file%/device/vendor}
            say "/dev/dri/${file##*/}"
            return 0
        fi
    done
    stop 121 "a render node of vendor $1"
}
probe_vainfo() { # vainfo VENDOR
    need vainfo
    node=$(node "$1") || exit
    say node "$node"
    LIBVA_DRIVER_NAME=nvidia NVD_BACKEND=direct vainfo --display drm --device "$node" 2>&1
}
variable() { variables "$1" "$2" | tr -d '\0' | cut -d = -f 2-; }
probe_vdpauinfo() { # in the session's own display
    need vdpauinfo
    pid=$(session) || exit
    display=$(variable "$pid" DISPLAY) authority=$(variable "$pid" XAUTHORITY)
    [ -n "$display" ] || stop 123 'the session has no X display'
    DISPLAY=$display XAUTHORITY=$authority vdpauinfo 2>&1
}
probe_firefox() { # firefox VENDOR: Firefox's own test of the decoder, without opening a window
    need firefox
    node=$(node "$1") || exit
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
probe_playback() { # playback VENDOR: four seconds of 1080p at their own speed, decoded on the GPU
    need ffmpeg
    node=$(node "$1") || exit
    work_directory
    ffmpeg -v error -nostdin -f lavfi -i testsrc2=size=1920x1080:rate=30:duration=4 \
        -c:v libx264 -preset ultrafast -pix_fmt yuv420p clip.mkv || return
    # A GPU frame format: without a hardware decoder this fails, and does not decode on the CPU.
    LIBVA_DRIVER_NAME=nvidia NVD_BACKEND=direct ffmpeg -v info -nostdin -benchmark -re \
        -hwaccel vaapi -hwaccel_device "$node" -hwaccel_output_format vaapi -i clip.mkv \
        -vf scale_vaapi=w=1920:h=1080 -f null - 2>&1
}
