# Print how Nix reads the user's own flakes, and a digest of what it would read. Writes nothing, and
# runs no program that a repository names.
#
# usage: flakes.sh [NAME DIRECTORY WITH]...
#   NAME       system or home; DIRECTORY of the flake, "~/" is the home directory
#   WITH       choices of the inventory, between commas: submodules, impure, path, publish
#
# Output: "flakes-read 1", for each flake the lines below, then "flakes-end".
#   flake NAME SCHEME DIGEST DIRECTORY   SCHEME: git, path, absent, unreadable or failed. DIRECTORY:
#                                        the top of the repository, or the one that holds flake.nix
#   flake_within NAME DIRECTORY          where in the repository flake.nix is
#   flake_mark NAME MARK                 shallow, submodules, impure; other-submodules: not asked for;
#                                        config: flake.nix has a nixConfig
#   flake_times NAME DIGEST              of sizes and times below a path
#   flake_private NAME FILE              a private file that "path:" would show to every user
#   flake_private_more NAME COUNT        how many more
#   flake_also NAME FILE                 tracked by git, so Nix shows it to everybody, although git
#   flake_also_more NAME COUNT           ignores or encrypts it, or others may not read it
#   flake_why NAME TEXT                  why it cannot be read, line by line
#   untracked NAME FILE                  what Nix does not see
#
# Strategy: flake.nix is looked for as nixos-rebuild and home-manager do, behind links. A .git in or
# above the directory that really has flake.nix means "git+file:". A repository that git refuses is
# never read as "path:", which would copy all of it into a store that every user can read.
leave_git_alone
fetch_nothing
stamps=${XDG_STATE_HOME:-$HOME/.local/state}/workspace-tuning/workspace/flakes
SHOWN=20 # names of each kind
# A history has what was deleted since, and maybe what it was told to ignore.
PRIVATE='( -type f ! -perm -004 -o -type d ! -perm -005 -o -name .git -o -name .jj -o -name .hg )'

quoted() { # quoted TEXT: TEXT as a person types it in a shell
    case $1 in
        *[!A-Za-z0-9_./@+=:,-]*) printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")" ;;
        *) printf %s "$1" ;;
    esac
}

# not_read SCHEME DIRECTORY TEXT: print a flake without a digest, and why.
not_read() {
    say flake "$name" "$1" - "$(printf %s "$2" | tr '\n' '?')"
    printf '%s\n' "$3" | while IFS= read -r line; do say flake_why "$name" "$line"; done
}

# barrier PATH: print the directory on the way to PATH that this user may not enter.
barrier() {
    way='' rest=${1#/}
    while :; do
        if [ -d "${way:-/}" ] && [ ! -x "${way:-/}" ]; then
            say "${way:-/}"
            return 0
        fi
        case $rest in */*) ;; *) return 1 ;; esac
        way=$way/${rest%%/*} rest=${rest#*/}
    done
}

# flake DIRECTORY: find flake.nix, then read it by git or as a path.
flake() {
    # shellcheck disable=SC2088 # the tilde is meant to be literal
    case $1 in "~/"*) given=$HOME/${1#??} ;; *) given=$1 ;; esac
    file=$given/flake.nix
    if [ ! -e "$file" ] && at=$(barrier "$(readlink -m -- "$file")"); then
        not_read unreadable "$given" "$(id -un) may not enter $at ($(stat -c '%A, of %U' -- "$at"))"
        return 0
    fi
    if [ ! -e "$file" ]; then
        for link in "$file" "$given"; do
            if [ -L "$link" ] && [ ! -e "$link" ]; then
                not_read failed "$given" "$link is a link to $(readlink -- "$link"), where nothing is"
                return 0
            fi
        done
        if [ -e "$given" ]; then
            not_read absent "$given" "there is no flake.nix in it"
        else
            not_read absent "$given" "it does not exist"
        fi
    elif [ ! -f "$file" ]; then
        not_read failed "$given" "flake.nix is not a file"
    elif [ ! -r "$file" ]; then
        not_read unreadable "$given" \
            "$(id -un) may not read flake.nix ($(stat -Lc '%A, of %U' -- "$file"))"
    else
        if [ ! -L "$file" ] && [ "${given#/}" != "$given" ] && cd -P -- "$given" 2>/dev/null; then
            real=${PWD%/}/flake.nix
        else
            real=$(readlink -f -- "$file")
        fi
        directory=${real%/*}
        case $real in
            *"$newline"*) not_read failed "$given" "there is a line break in its path" ;;
            */flake.nix)
                tells=$(grep -Eo '^[^#]*(nixConfig|self[.]submodules *= *true)' -- "$real")
                case $tells in *submodules*) with=$with,submodules, ;; esac # Nix from 2.27 on
                by_git "${directory:-/}" || as_path "${directory:-/}"
                ;;
            *) not_read failed "$given" "flake.nix is a link to $real, whose name is not flake.nix" ;;
        esac
    fi
}

# by_git DIRECTORY: false where no repository is there, or "path" was chosen.
by_git() {
    top=$1
    while [ -n "$top" ] && [ ! -e "$top/.git" ]; do top=${top%/*}; done
    case $with in *,path,*) return 1 ;; esac
    if [ -z "$top" ]; then return 1; fi
    if ! command -v git >/dev/null 2>&1; then
        not_read failed "$1" "$top is a git repository, and git is not installed: Nix needs it too"
        return 0
    fi
    if [ -d "$top/.git" ] && [ ! -x "$top/.git" ]; then
        not_read unreadable "$1" \
            "$(id -un) may not enter $top/.git ($(stat -c '%A, of %U' -- "$top/.git"))"
        return 0
    fi
    # An older git prints an option that it does not know.
    if ! words=$(git -C "$1" rev-parse --show-toplevel --show-prefix --is-shallow-repository \
        --show-object-format --revs-only HEAD 2>/dev/null); then
        not_read failed "$1" "$(git -C "$1" rev-parse --show-toplevel 2>&1)"
        return 0
    fi
    { IFS= read -r whole; IFS= read -r within; read -r shallow; read -r format; read -r head; } <<LINES
$words
LINES
    # git passes by a repository that it cannot read, and takes the one around it.
    if [ "${top#"${whole%/}"/}" != "$top" ] && ! words=$(git --git-dir="$top/.git" rev-parse 2>&1); then
        not_read failed "$1" "$words"
        return 0
    fi
    if [ "$format" = sha256 ]; then
        not_read failed "$1" "$top has the object format sha256, which Nix does not read${newline}\
Keep the flake in a repository of the usual format, or have the directory read as it is: \
--data base_$key=path,publish"
        return 0
    fi
    index=$newline$(index_of "$1")$newline
    # A directory that the repository ignores is not a part of the repository.
    if ! indexed tracked && git -C "$1" check-ignore -q -- "$1" 2>/dev/null; then
        top=''
        return 1
    fi
    if ! indexed tracked && ! words=$(git -C "$1" ls-files --error-unmatch -- flake.nix 2>&1); then
        force=''
        if git -C "$1" check-ignore -q -- flake.nix 2>/dev/null; then force=' --force'; fi
        case $words in
            *"did not match"*) words="flake.nix is not tracked by the git repository $top: Nix does \
not see it${newline}To have it seen, call:${newline}    git -C $(quoted "$1") add$force flake.nix" ;;
        esac
        not_read failed "$1" "$words"
        return 0
    fi
    top=$whole
    if named_beyond_nix "$top"; then return 0; fi
    words=$({ { state "$top" "$head" 2>&4 || say broken >&3; } | sha256sum >&3; } 3>&1 4>&1)
    digest=${words##*"$newline"}
    digest=${digest%%" "*}
    case "$newline$words$newline" in
        *"${newline}broken$newline"*)
            not_read failed "$1" "$(printf '%s\n' "$words" | sed '/^broken$/d; /^[0-9a-f]\{64\}  -$/d')"
            return 0
            ;;
    esac
    say flake "$name" git "$digest" "$top"
    if [ -n "$within" ]; then say flake_within "$name" "${within%/}"; fi
    case $with in *,publish,*) ;; *) listed flake_also "$(tracked_and_closed "$top")" ;; esac
    if [ "$shallow" = true ]; then say flake_mark "$name" shallow; fi
    case $with in
        *,submodules,*) say flake_mark "$name" submodules ;;
        *) if indexed module; then say flake_mark "$name" other-submodules; fi ;;
    esac
    words=$(git -C "$1" -c core.quotePath=false ls-files --others --exclude-standard -- '*.nix')
    if [ -n "$words" ]; then
        say "$words" | head -n "$SHOWN" | while IFS= read -r file; do say untracked "$name" "$file"; done
    fi
}

# index_of DIRECTORY: print "tracked" where its flake.nix is in the index, "module" for each submodule, and
# "hidden" for what git was told to take as unchanged, or to leave out. One listing tells all.
index_of() {
    git -C "$1" ls-files -v -s -- :/ 2>/dev/null | sed -n -e 'h; s/^[a-zS] .*/hidden/p; g' \
        -e 's/^[^ ]* 160000 .*/module/p; g' -e 's/.*\tflake[.]nix$/tracked/p'
}
indexed() { case $index in *"$newline$1$newline"*) ;; *) return 1 ;; esac }

# listed WORD NAMES: the first of the lines, and how many more.
listed() {
    if [ -z "$2" ]; then return 0; fi
    say "$2" | head -n "$SHOWN" | while IFS= read -r file; do say "$1" "$name" "$file"; done
    count=$(say "$2" | wc -l)
    if [ "$count" -gt "$SHOWN" ]; then say "${1}_more" "$name" "$((count - SHOWN))"; fi
}

# tracked_and_closed REPOSITORY: tracked files that git ignores (git add --force) or has encrypted
# (a filter), and those that others may not read although flake.nix is open to them.
tracked_and_closed() {
    ignored=$(git -C "$1" -c core.quotePath=false ls-files --cached --ignored --exclude-standard 2>/dev/null)
    if filtered=$(git -C "$1" ls-files -- :/ ':(top,exclude,attr:!filter)' 2>/dev/null) &&
        [ -z "$filtered" ]; then
        encrypted=''
    else # some have a filter, or git is too old to be asked for these
        encrypted=$(git -C "$1" ls-files -z | git -C "$1" -c core.quotePath=false check-attr --stdin -z filter |
            tr '\n\0' '?\n' | sed -n 'N; N; s/\n/ /g; / filter lfs$/d; / filter un[a-z]*$/d; s/ filter [^ ]*$//p')
    fi
    closed=$(git -C "$1" ls-files -z | (
        cd -- "$1" && exec xargs -0 -r stat --printf='%A %n\0' --
    ) 2>/dev/null | sed -zn '/\n/d; s/^-......-.. //p' | tr '\0' '\n')
    case "$newline$closed$newline" in *"$newline${within}flake.nix$newline"*) closed='' ;; esac
    if [ -n "$ignored$encrypted$closed" ]; then
        printf '%s\n' "$ignored" "$encrypted" "$closed" | grep . | sort -u
    fi
}

# named_beyond_nix DIRECTORY: whether its name cannot be read, because Nix before 2.19 takes its URL for
# a place on the network, and reads only what is committed on "master" there.
named_beyond_nix() {
    case $1 in *[!A-Za-z0-9_./+@=,:~-]*) ;; *) return 1 ;; esac
    version=$(nix --version 2>/dev/null) || return 1
    minor=${version##* 2.}
    minor=${minor%%[!0-9]*}
    if [ "${minor:-99}" -ge 19 ]; then return 1; fi
    not_read failed "$1" "$version is too old: Nix reads a name with blanks, signs or other \
letters than a-z from 2.19 on${newline}Rename the directory, or take a newer Nix"
}

# modules REPOSITORY: the paths of its submodules.
modules() { git -C "$1" -c core.quotePath=false ls-files -s | sed -n "s/^160000 [0-9a-f]* 0	//p"; }

# state REPOSITORY [COMMIT]: print the commit, and the changes of tracked files, staged or not. Filters do not
# run, since they are programs; the output only has to change when the state changes.
state() (
    if [ -n "${2:-}" ]; then
        say "$2"
    else
        git -C "$1" rev-parse --verify --quiet HEAD || git -C "$1" symbolic-ref HEAD || exit 1
        index=$newline$(index_of "$1")$newline
    fi
    WORKSPACE_GIT=$(command -v git) guard=$(guarded_git)
    export WORKSPACE_GIT
    git() { sh -c "$guard" git "$@"; }
    here=$1
    changed=$(git -C "$here" status --porcelain --untracked-files=no --no-renames \
        --ignore-submodules=dirty) || exit 1
    if [ -n "$changed" ]; then
        set -- --binary --no-ext-diff --no-textconv --ignore-submodules=dirty
        git -C "$here" diff --cached "$@" && git -C "$here" diff "$@" || exit 1
    fi
    # What git was told to take as unchanged, or to leave out, a diff passes over; Nix reads it.
    if indexed hidden; then
        git -C "$here" ls-files -v -z | sed -zn 's/^[a-zS] //p' |
            tar -C "$here" --null --verbatim-files-from -T - --no-recursion --mtime=@0 --owner=0 \
                --group=0 --numeric-owner -cf - 2>/dev/null # what is left out is not there
    fi
    case $with in *,submodules,*) ;; *) exit 0 ;; esac
    modules "$here" | {
        while IFS= read -r path; do
            say "submodule $path"
            if [ -e "$here/$path/.git" ]; then state "$here/$path" || exit 1; fi
        done
    }
)

# as_path DIRECTORY: Nix copies all that is below it.
as_path() {
    # One walk finds what Nix cannot copy, what is private, and the times of all.
    # shellcheck disable=SC2086 # words of find
    walked=$newline$({
        find "$1" \( ! -type l ! -readable -o -type d ! -executable \) -fprintf /dev/fd/3 'closed\n' , \
            ! -type f ! -type d ! -type l -fprintf /dev/fd/3 'odd\n' , \
            $PRIVATE -fprintf /dev/fd/3 'private\n' , \
            -printf '%P %y %m %s %T@ %C@ %l\0' | sort -z | sha256sum
    } 3>&1)
    case $walked in *"${newline}closed$newline"*)
        one=$(find "$1" \( ! -type l ! -readable -o -type d ! -executable \) -print -quit 2>/dev/null)
        not_read unreadable "$1" "$(id -un) may not read $one, and Nix copies all of the directory"
        return 0
        ;;
    esac
    case $walked in *"${newline}odd$newline"*)
        one=$(find "$1" ! -type f ! -type d ! -type l -print -quit)
        not_read failed "$1" "$one is a $(stat -c %F -- "$one"), which Nix does not copy"
        return 0
        ;;
    esac
    if named_beyond_nix "$1"; then return 0; fi
    times=${walked##*"$newline"} known='' digest=''
    times=${times%% *}
    if [ -f "$stamps/$name" ]; then IFS=' ' read -r known digest <"$stamps/$name"; fi
    if [ "$known" != "$times" ] || [ -z "$digest" ]; then
        digest=$(tar -C "$1" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf - . |
            sha256sum)
        digest=${digest%% *}
        # A file that is written in this moment may keep its time, so no stamp is made for it.
        if [ -n "$(find "$1" -newerct '2 seconds ago' -print -quit)" ]; then times=''; fi
    fi
    say flake "$name" path "$digest" "$1"
    if [ -n "$times" ]; then say flake_times "$name" "$times"; fi
    case $with in *,publish,*) return 0 ;; esac
    case $top$walked in /* | *"${newline}private$newline"*) ;; *) return 0 ;; esac
    # shellcheck disable=SC2086 # words of find
    hidden=$({
        if [ -n "$top" ]; then
            git -C "$1" ls-files --others --ignored --exclude-standard --directory 2>/dev/null
        fi
        cd -- "$1" && find . $PRIVATE \
            ! -path "*$newline*" -print | sed 's:^\./::'
    } | sort -u)
    listed flake_private "$hidden"
}

# one_flake NAME DIRECTORY WITH: print all lines of one flake.
one_flake() {
    name=$1 with=,$3, tells=''
    case $name in system) key=nixos_with ;; *) key=home_with ;; esac
    flake "$2"
    case $tells in *nixConfig*) say flake_mark "$name" config ;; esac
    case $with in *,impure,*) say flake_mark "$name" impure ;; esac
}
# both NAME NAME DIRECTORY WITH: one flake has both, so a repository is read once. In what git tells, the
# name is the second word of each line and nothing else.
both() {
    told=$(one_flake "$1" "$3" "$4")
    say "$told"
    case $told in
        "flake $1 git "*)
            set -f
            IFS=$newline
            for line in $told; do
                rest=${line#* }
                printf '%s %s %s\n' "${line%% *}" "$2" "${rest#* }"
            done
            unset IFS
            set +f
            ;;
        *) one_flake "$2" "$3" "$4" ;;
    esac
}

say flakes-read 1
if [ "$#" = 6 ] && [ "$2$newline$3" = "$5$newline$6" ]; then
    both "$1" "$4" "$2" "$3"
    set --
fi
while [ "$#" -ge 3 ]; do
    one_flake "$1" "$2" "$3"
    shift 3
done
say flakes-end
