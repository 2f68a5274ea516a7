probe_nvidia() {
    need nvidia-smi
    nvidia-smi --format=csv \
        --query-gpu=name,compute_cap,driver_version,memory.total,memory.used,utilization.gpu
}
probe_pmon() {
    need nvidia-smi
    nvidia-smi pmon -c 1 -s u
}
# vainfo VENDOR (as 0x10de)
probe_vainfo() {
    node=''
    for file in "$root"/sys/class/drm/renderD*/device/vendor; do
        if [ "$(first_line "$file")" = "$1" ]; then
            node=${file%/device/vendor} node=/dev/dri/${node##*/}
            break
        fi
    done
    [ -n "$node" ] || stop 121 "a render node of vendor $1"
    need vainfo
    say node "$node"
    LIBVA_DRIVER_NAME=nvidia NVD_BACKEND=direct vainfo --display drm --device "$node" 2>&1
}
probe_vdpauinfo() {
    need vdpauinfo
    pid=$(session) || exit
    display=$(variable "$pid" DISPLAY) authority=$(variable "$pid" XAUTHORITY)
    [ -n "$display" ] || stop 123 'the session has no X display'
    DISPLAY=$display XAUTHORITY=$authority vdpauinfo 2>&1
}
# firefox NODE: Firefox's own test of the decoder, without opening a window
probe_firefox() {
    need firefox
    program=$(readlink -f -- "$(command -v firefox)")
    unwrapped=$(grep -ao '/nix/store/[0-9a-z]*-firefox-unwrapped-[^/"]*' "$program" |
        head -n 1)
    for directory in "${program%/*}" "${program%/*/*}"/lib/firefox* \
        "${unwrapped:-/nowhere}"/lib/firefox; do
        if [ -x "$directory/gfxtest" ] && [ ! -x "$directory/vaapitest" ]; then
            "$directory/gfxtest" vaapi -d "$1" && return
        elif [ -x "$directory/vaapitest" ]; then
            "$directory/vaapitest" --drm "$1" && return
        fi
    done
    stop 120 "Firefox's vaapitest or gfxtest"
}
# playback NODE: four seconds of 1080p, decoded on the GPU at their own speed
probe_playback() {
    need ffmpeg
    work_directory
    ffmpeg -v error -nostdin -f lavfi -i testsrc2=size=1920x1080:rate=30:duration=4 \
        -c:v libx264 -preset ultrafast -pix_fmt yuv420p clip.mkv || exit 1
    ffmpeg -v info -nostdin -benchmark -re -hwaccel vaapi -hwaccel_device "$1" \
        -hwaccel_output_format vaapi -i clip.mkv -f null - 2>&1 | grep -a '^bench: utime'
}
