# Start an application with its flags, inside the slice that has its limits.
#
# Enters: the arguments of a menu entry or of a person. Leaves: the application, in place of this
# script, so that exit status, environment and terminal are its own. The words between @ are filled in
# by electron.nix, the program by adopt.sh.
#
# 1. Started by Plasma, the process is in the slice already: a drop-in of its unit put it there.
# 2. Otherwise a scope is made in the slice, where there is a user manager to ask. Without
#    --expand-environment=no newer versions of systemd-run replace $NAME inside the arguments, so also
#    inside a link that is opened; those before 254 do not, and refuse an option that they do not know.
#    OOMScoreAdjust is not for scopes: systemd-run refuses to start.
# 3. Without a user manager (a container, WSL without systemd, sudo) the application starts all the same.
set -- @program@ @flags@ "$@"

case $(cat /proc/self/cgroup 2>/dev/null) in
*/@slice@/*) exec "$@" ;;
esac

if [ -S "${XDG_RUNTIME_DIR:-}/bus" ] && command -v systemd-run >/dev/null; then
    read -r unique </proc/sys/kernel/random/uuid
    literal=
    case $(systemd-run --help) in *--expand-environment*) literal=--expand-environment=no ;; esac
    exec systemd-run --user --scope --quiet --collect ${literal:+"$literal"} \
        --slice=@slice@ --unit="app-@unit@-${unique%%-*}.scope" -- "$@"
fi
exec "$@"
