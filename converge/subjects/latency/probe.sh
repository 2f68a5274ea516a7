# What systemd-oomd watches.
# shellcheck shell=sh

probe_oomd() {
    need oomctl
    oomctl dump
}
