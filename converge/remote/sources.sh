# Find chezmoi's source directories, and whether chezmoi would run a program of the user's to answer. A
# part of managed.sh.
#
# Every call of chezmoi reads its configuration, whose hooks are programs. A question about a source
# reads the whole source state, and evaluates all files .chezmoiignore, .chezmoiremove and
# .chezmoiexternal as templates; some functions of templates run programs. Whatever is not known to be
# harmless counts as a program.

# Harmless words in templates: these compute, or look at files and the environment.
HARMLESS='if else end with range break continue and or not eq ne lt le gt ge true false nil
index slice len print printf println html js urlquery default empty coalesce ternary
lower upper title trim trimAll trimSuffix trimPrefix trunc hasPrefix hasSuffix contains replace
quote squote cat list dict get has hasKey keys values first last join splitList split regexMatch
int toString toJson semver semverCompare env stat lstat lookPath findExecutable isExecutable
joinPath glob include'

# what_runs: set "sources" ('' where they are not known), "seen", what is in them, and "runs", why a
# program might run.
what_runs() {
    runs='' sources='' moved=no seen=''
    set -f
    IFS=:
    # shellcheck disable=SC2086 # one argument for each directory
    set -- "${XDG_CONFIG_HOME:-$HOME/.config}" ${XDG_CONFIG_DIRS:-/etc/xdg}
    unset IFS
    set +f
    for directory in "$@"; do
        case $directory in /*) ;; *) runs="XDG_CONFIG_DIRS has a name in it that is no full path" ;; esac
        for file in "$directory/chezmoi/chezmoi."*; do
            if [ -e "$file" ]; then look_at_configuration "$file"; fi
        done
    done
    find_sources || return 0
    survey
    if [ -z "$runs" ]; then look_at_templates; fi
}
# survey: set "seen" to words, a line each. "odd" and "template": among the files that chezmoi evaluates
# are some that are no files, and some that are; "removes": chezmoi may remove files that it has no
# source of; "has N": line N of "targets" seems to have a source. One walk finds all of it.
survey() {
    seen=''
    [ -d "$sources" ] || return 0
    set -f
    IFS=$newline
    # shellcheck disable=SC2086,SC2154 # one argument for each line; managed.sh sets them
    set -- $targets
    unset IFS
    set +f
    number_=0 count_=$#
    while [ "$number_" -lt "$count_" ]; do # each test goes to the end of the list
        number_=$((number_ + 1))
        set -- "$@" , -path "*dot_config/*${1##*/}*" -type f -printf "has $number_\\n"
        shift
    done
    seen=$newline$(find "$sources/" -name .git -prune -o \( \
        -path '*/.chezmoi[ire]*' \( ! -xtype f ! -type d -printf 'odd\n' -o -xtype f -printf 'template\n' \) , \
        \( -type d -name '*exact_*' -o -name '.chezmoiremove*' \) -printf 'removes\n' "$@" \) \
        2>/dev/null)$newline
}
has_seen() { # has_seen LINE
    case $seen in *"$newline$1$newline"*) ;; *) return 1 ;; esac
}
# Keys count in any case, and Go reads two other signs as k and s. A key may have escapes, and in YAML
# base64.
look_at_configuration() {
    k="([kK]|$(printf '\342\204\252'))" s="([sS]|$(printf '\305\277'))"
    if [ ! -f "$1" ]; then
        runs="$1 is not a file"
    elif grep -qaE "[hH][oO][oO]$k$s|\\\\([xuU]|\$)|[bB][iI][nN][aA][rR][yY]" -- "$1"; then
        runs="$1 has hooks, or names that cannot be read here"
    fi
    if grep -qaE "${s}[oO][uU][rR][cC][eE][dD][iI][rR]" -- "$1"; then moved=yes; fi
}
find_sources() { # set sources; chezmoi is asked only where its configuration runs nothing
    if [ "$moved" = yes ]; then
        [ -z "$runs" ] || return 1
        sources=$(cm source-path 2>/dev/null)
        [ -n "$sources" ] || return 1
    else
        set -f
        IFS=:
        # shellcheck disable=SC2086 # one argument for each directory
        set -- "${XDG_DATA_HOME:-$HOME/.local/share}" ${XDG_DATA_DIRS:-/usr/local/share:/usr/share}
        unset IFS
        set +f
        sources=$1/chezmoi
        for directory in "$@"; do
            case $directory in /*) ;; *) runs="XDG_DATA_DIRS has a name in it that is no full path" ;; esac
            if [ -e "$directory/chezmoi" ]; then sources=$directory/chezmoi && break; fi
        done
    fi
    if [ -e "$sources/.chezmoiroot" ]; then
        within=$(head -c 4096 -- "$sources/.chezmoiroot" 2>/dev/null | tr -d '\0')
        case /$within/ in
            *"$newline"* | */../*) runs="$sources/.chezmoiroot leads elsewhere" ;;
            *) within=$(say "$within" | sed 's/^[[:space:]]*//; s/[[:space:]]*$//') ;;
        esac
        if [ -z "$runs" ]; then sources=$sources/$within; fi
    fi
}
special() { # special TEST...: print the files that chezmoi evaluates and that pass a test of find
    find "$sources/" -name .git -prune -o -path '*/.chezmoi[ire]*' "$@"
}
look_at_templates() {
    if has_seen odd; then
        runs="$(special ! -xtype f ! -type d -print -quit) is not a file"
    elif has_seen template && ! special -xtype f -exec cat -- {} + | harmless; then
        # Find the file, for the message.
        runs=$(special -xtype f -print | while IFS= read -r file; do
            if ! harmless <"$file"; then say "$file" && break; fi
        done)
        runs="${runs:-a template there} calls what may be a program"
    fi
}
harmless() { # harmless <TEXT: whether all actions of the templates have only words of the list
    tr '\0' '\134' | awk -v words="$HARMLESS" '
        BEGIN {
            count = split(words, list, /[ \n]+/)
            for (i = 1; i <= count; i++) known[list[i]] = 1
        }
        /chezmoi:template:/ { bad = 1 }
        {
            line = $0
            while (match(line, /[{][{]/)) {
                line = substr(line, RSTART)
                if (!match(line, /^[{][{][^}]*[}][}]/)) { bad = 1; break }
                action = substr(line, 3, RLENGTH - 4)
                line = substr(line, RLENGTH + 1)
                if (action ~ /^(- )?\/[*][^*]*[*]\/( -)?$/) continue
                gsub(/"[^"\\]*"/, " ", action)
                if (action ~ /["\\`\047{]/) { bad = 1; break }
                gsub(/[$.][A-Za-z0-9_.]*/, " ", action)
                count = split(action, list, /[^A-Za-z0-9_]+/)
                for (i = 1; i <= count; i++)
                    if (list[i] !~ /^[0-9]*$/ && !(list[i] in known)) bad = 1
            }
        }
        END { exit bad }'
}
# may_have TARGET: whether one of the sources may be the source of the target.
may_have() {
    if [ -z "$sources" ]; then return 0; fi
    name=${1##*/}
    [ -n "$(find "$sources/" -name .git -prune -o \
        \( -name "*${name#.}*" -o -name '.chezmoiexternal*' \) -print -quit 2>/dev/null)" ]
}
