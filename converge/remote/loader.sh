# Ask and set the boot loader for a trial: which loader it is, what it boots by default, and what it
# boots once. A part of trial.sh. An entry is found by the "init=" of its system: NixOS names the files
# of systemd-boot in several ways, and the loader renames them to count boots. The first "init=" is
# NixOS' own; one of the user's parameters may follow.
# shellcheck shell=sh disable=SC2034,SC2154
root=${ROOT:-} # prefix of system paths, in a test
efivars=$root/sys/firmware/efi/efivars
guid=4a67b082-0a4c-41cf-b6c7-440b29bb8c4f # of systemd-boot's own variables

# find_loader: set "loader" to systemd-boot or grub; fails with "why".
find_loader() {
    loader='' why=''
    # Four bytes of attributes, then UTF-16; a program cannot seek in such a file.
    started=$(tr -cd '\40-\176' 2>/dev/null <"$efivars/LoaderInfo-$guid")
    case $started in
        *systemd-boot*)
            loader=systemd-boot
            command -v bootctl >/dev/null || why='bootctl is not installed'
            ;;
        '' | *GRUB*)
            for grub in "$root/boot/grub" "$root/boot/grub2"; do
                if [ -f "$grub/grub.cfg" ]; then loader=grub && break; fi
            done
            if [ -z "$loader" ]; then
                why='the boot loader is neither systemd-boot nor GRUB'
            elif grub_can; then
                :
            fi
            ;;
        *) why="one-time entries of ${started%% *} are not known here" ;;
    esac
    [ -z "$why" ]
}
# grub_can: whether GRUB can clear the one-time entry before it boots the entry. Where GRUB cannot
# write, it would boot the entry again and again.
grub_can() {
    device=$(findmnt -nro SOURCE -T "$grub" 2>/dev/null) kind=$(findmnt -nro FSTYPE -T "$grub" 2>/dev/null)
    stack=$(lsblk -nrso TYPE -- "${device%%\[*}" 2>/dev/null | sort -u | tr '\n' ' ')
    if ! command -v grub-editenv >/dev/null; then
        why='grub-editenv is not installed'
    elif ! grep -q 'save_env next_entry' "$grub/grub.cfg"; then
        why="$grub/grub.cfg does not take a one-time entry"
    elif [ -z "$root" ] && ! grub_writes "$kind" "$stack"; then
        why="GRUB cannot write to ${kind:-the file system} on ${stack:-the device }of $grub, so an"
        why="$why entry that is to be booted once would stay"
    elif grep -q '^env_block=' "$grub/grubenv" 2>/dev/null; then
        why="$grub/grubenv keeps its variables elsewhere"
    else
        return 0
    fi
    return 1
}
grub_writes() { # grub_writes FILE_SYSTEM "TYPE...": of lsblk, the whole stack below it
    case $1 in ext2 | ext3 | ext4 | vfat | xfs) ;; *) return 1 ;; esac
    case " $2" in *[!\ ]*) ;; *) return 1 ;; esac
    for type_ in $2; do
        case $type_ in part | disk) ;; *) return 1 ;; esac
    done
}

# menu: a line "ID<TAB>default or -<TAB>INIT" for each entry that boots a Linux with init=INIT.
menu() {
    case $loader in
        systemd-boot) bootctl_list 2>/dev/null | systemd_boot_menu ;;
        grub) grub_menu <"$grub/grub.cfg" ;;
    esac
}
bootctl_list() { # of the partition that the loader came from, also where bootctl does not look
    part_=$(tr -cd '[:xdigit:]-' 2>/dev/null <"$efivars/LoaderDevicePartUUID-$guid" | tr A-F a-f)
    esp_=$(findmnt -nro TARGET -S "PARTUUID=$part_" 2>/dev/null | head -n 1)
    case $esp_ in '' | /efi | /boot | /boot/efi) esp_='' ;; esac
    bootctl list --no-pager ${esp_:+"--esp-path=$esp_"}
}
menu_trouble() { # print what bootctl says of a menu that it cannot read
    [ "$loader" = systemd-boot ] || return 0
    bootctl_list 2>&1 >/dev/null | tail -n 1 | sed 's/^/: /'
}
systemd_boot_menu() { # read bootctl list; the title of an entry says that it is the default
    awk '
        function flush(  i, n, words, init) {
            n = split(options, words, " ")
            for (i = n; i >= 1; i--) if (words[i] ~ /^init=/) init = substr(words[i], 6)
            if (id != "" && init != "") printf "%s\t%s\t%s\n", id, standard ? "default" : "-", init
            id = options = ""; standard = 0
        }
        { key = $1 }
        key == "type:" { flush() }
        key == "title:" { if (id != "") flush(); standard = /\(default\)/ }
        key == "id:" { sub(/^[ \t]*id:[ \t]*/, ""); id = $0 }
        key == "options:" { sub(/^[ \t]*options:[ \t]*/, ""); options = $0 }
        END { flush() }'
}
grub_menu() { # read grub.cfg; the name of an entry has the titles of its submenus
    awk '
        BEGIN { depth = 0 } # a number from the first line on, as it names places in the lists
        function title(text,  quote, rest) {
            match(text, /["\047]/); quote = substr(text, RSTART, 1)
            rest = substr(text, RSTART + 1)
            rest = substr(rest, 1, index(rest, quote) - 1)
            gsub(/>/, ">>", rest)
            return rest
        }
        /^[ \t]*set default=/ {
            # Without a one-time entry the last "set default" counts.
            standard = $0; sub(/^[ \t]*set default=/, "", standard); gsub(/["\047 \t]/, "", standard)
        }
        /^[ \t]*(menuentry|submenu)[ \t]/ {
            if (depth == 0) top++
            names[depth] = title($0); kinds[depth] = $1
        }
        /^[ \t]*(linux|linux16|linuxefi|module|module2)[ \t]/ {
            for (i = 2; i <= NF; i++) if ($i ~ /^init=/ && kinds[depth - 1] == "menuentry") {
                path = ""
                for (j = 0; j < depth; j++)
                    if (kinds[j] != "") path = path (path == "" ? "" : ">") names[j]
                found[++count] = path; tops[count] = top - 1; inits[count] = substr($i, 6)
                break
            }
        }
        /\{[ \t]*$/ { if (!/^[ \t]*(menuentry|submenu)[ \t]/) kinds[depth] = ""; depth++ }
        /^[ \t]*\}[ \t]*$/ { if (depth > 0) depth-- }
        END {
            for (i = 1; i <= count; i++)
                printf "%s\t%s\t%s\n", found[i], (tops[i] "" == standard && !seen[tops[i]]++) ? "default" : "-", inits[i]
        }'
}
entry_of() { # entry_of SYSTEM: the name of the first entry that boots this store path
    # The default entry is taken last: in GRUB its name does not have the number of its generation.
    menu | awk -F '\t' -v init="$1/init" '$3 == init { if ($2 == "-") { print $1; done = 1; exit } first = first == "" ? $1 : first }
        END { if (!done && first != "") print first }' | grep .
}
default_is() { # default_is SYSTEM: whether the loader boots it when nobody chooses
    [ "$(menu | awk -F '\t' '$2 == "default" { print $3; exit }')" = "$1/init" ]
}
once() { # once ENTRY: boot the entry at the next start only
    case $loader in
        systemd-boot) bootctl set-oneshot "$1" && [ -e "$efivars/LoaderEntryOneShot-$guid" ] ;;
        grub)
            { [ -e "$grub/grubenv" ] || grub-editenv "$grub/grubenv" create; } &&
                grub-editenv "$grub/grubenv" set "next_entry=$1" && sync -- "$grub/grubenv" &&
                [ "$(next_entry)" = "$1" ]
            ;;
    esac
}
next_entry() { grub-editenv "$grub/grubenv" list 2>/dev/null | sed -n 's/^next_entry=//p'; }
never() { # clear the one-time entry
    case $loader in
        systemd-boot) if [ -e "$efivars/LoaderEntryOneShot-$guid" ]; then bootctl set-oneshot ''; fi ;;
        grub) if [ -e "$grub/grubenv" ]; then
            grub-editenv "$grub/grubenv" unset next_entry && sync -- "$grub/grubenv"
        fi ;;
    esac
}
