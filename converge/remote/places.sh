# Find where a user's files are; read.sh and managed.sh begin with this part.
# shellcheck shell=sh disable=SC2034,SC2154
root=$1
shift
state=${XDG_STATE_HOME:-$HOME/.local/state}

# The directories of the desktop: a command over SSH lacks some variables of a session. Whoever reads
# the workspace asks once, before the programs that begin with this part.
if [ -z "$config" ]; then
    config=${XDG_CONFIG_HOME:-}
    if [ -z "$config" ] && [ -z "$root" ] && command -v systemctl >/dev/null; then
        config=$(timeout 5 systemctl --user show-environment 2>/dev/null |
            sed -n 's/^XDG_CONFIG_HOME=\(\/.*\)$/\1/p')
    fi
    case $config in /*) ;; *) config=$HOME/.config ;; esac
    while [ "$config" != "${config%/}" ] && [ "$config" != / ]; do config=${config%/}; done
fi

absolute() { # absolute FILE: set "path"
    # shellcheck disable=SC2088 # the tilde is meant to be literal
    case $1 in
        "~/.config/"*) path=$config/${1#??.config/} ;;
        "~/"*) path=$HOME/${1#??} ;;
        *) path=$1 ;;
    esac
}
