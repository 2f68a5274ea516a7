# Take the entries of a run out of a KDE file that somebody else wrote since, and leave every other
# byte as it is. converge/kde/back.py has the rules and the form of the record, converge/kde/text.py how
# KConfig reads a line. Bytes are pairs of hexadecimal digits here, so that no byte is special to awk.
#
# usage: REPORT=PATH awk -f entries.awk RECORD BYTES
#   BYTES   the file, one pair of digits a line (od -An -v -tx1 -w1)
# Prints the file in pairs of digits. To REPORT: "set NAME" for each entry that went back, "left NAME"
# for each of which somebody changed what is in force, then "end".

function trim(h) {
    while (h ~ /^(20|09|0a|0b|0c|0d)/) h = substr(h, 3)
    while (h ~ /(20|09|0a|0b|0c|0d)$/) h = substr(h, 1, length(h) - 2)
    return h
}
function find(h, pair, from,    at) { # the place of a byte, at "from" or after; 0: none
    while ((at = index(substr(h, from), pair)) > 0) {
        if (at % 2) return from + at - 1
        from += at
    }
    return 0
}
function rfind(h, pair,    at) {
    for (at = length(h) - 1; at > 0; at -= 2) if (substr(h, at, 2) == pair) return at
    return 0
}
function nibble(pair) { # the value of a byte that is a hexadecimal digit
    if (pair ~ /^3[0-9]$/) return substr(pair, 2)
    if (pair ~ /^[46][1-6]$/) return substr("abcdef", substr(pair, 2), 1)
    return ""
}
function decode(h,    whole, out, at, c, high, low) { # sets sound: whether all releases of KDE agree
    sound = 1
    if (!find(h, "5c", 1)) return h
    h = trim(h)
    for (at = 1; at < length(h); at += 2) {
        if (length(out) >= 4096) {
            whole = whole out
            out = ""
        }
        c = substr(h, at, 2)
        if (c != "5c") {
            out = out c
            continue
        }
        at += 2
        c = substr(h, at, 2)
        if (c == "78") {
            if (at + 4 < length(h)) {
                high = nibble(substr(h, at + 2, 2))
                low = nibble(substr(h, at + 4, 2))
                out = out (high != "" && low != "" ? high low : "78")
            } else {
                out = out "78"
            }
            at += 4
        } else if (c in escapes) {
            out = out escapes[c]
        } else if (c != "") {
            out = out "5c"
            sound = 0
        }
    }
    return whole out
}
function name(h,    plain) {
    plain = decode(h)
    return sound ? plain : "ff" h
}
function read_header(h, n,    from, end, parts, part, i, lock, inner) {
    for (from = 1; substr(h, from, 2) == "5b" && (end = find(h, "5d", from)); from = end + 2)
        part[++parts] = substr(h, from + 2, end - from - 2)
    if (!parts || substr(h, from, 2) == "5b") {
        header_locked = file_locked # KConfig skips the line; the group goes on, but not its lock
        return
    }
    lock = part[parts] == "2469" && from > length(h)
    for (i = 1; i <= parts - lock; i++) inner = inner (inner == "" ? "" : "1d") name(part[i])
    header_locked = file_locked
    if (lock && inner == "") file_locked = header_locked = 1
    if (lock) header_locked = 1
    kind[n] = "header"
    group = inner
}
function read_entry(h, n,    at, raw, value, start, end, suffix, i, locale, flags) {
    at = find(h, "3d", 1)
    raw = trim(at ? substr(h, 1, at - 1) : h)
    value = at ? substr(h, at + 2) : ""
    if (raw == "") return
    locale = "-"
    while ((start = rfind(raw, "5b"))) {
        end = find(raw, "5d", start)
        if (!end) return
        suffix = substr(raw, start + 2, end - start - 2)
        raw = substr(raw, 1, start - 1)
        if (substr(suffix, 1, 2) == "24") {
            for (i = 3; i < length(suffix); i += 2) {
                if (substr(suffix, i, 2) == "64") {
                    note(n, name(raw), "-", (flags ~ /i/ ? "i" : "") "d:", flags ~ /i/)
                    return
                }
                if (substr(suffix, i, 2) == "69") flags = flags "i"
                if (substr(suffix, i, 2) == "65") flags = flags "e"
            }
        } else if (locale != "-") {
            return
        } else {
            locale = "l" suffix
        }
    }
    if (!at) return
    raw = name(raw)
    value = trim(value)
    suffix = decode(value)
    if (!sound || find(value, "0d", 1)) suffix = value "!"
    i = flags ~ /i/
    note(n, raw, locale, (i ? "i" : "") (flags ~ /e/ ? "e" : "") ":" suffix, i)
}
function note(n, key, locale, reading, lock) {
    kind[n] = "entry"
    identity[n] = group " " key " " locale
    says[n] = reading
    fixed[n] = lock || header_locked
}
function in_force(id,    n, found) { # the last line of an entry, or the first locked one; 0: none
    for (n = 1; n <= lines; n++) {
        if (identity[n] != id || kind[n] != "entry") continue
        found = n
        if (fixed[n]) return n
    }
    return found + 0
}
function meets(found, wanted,    f, w) { # whether KDE behaves the same with both
    if (found == wanted) return 1
    if (found == "-" || wanted == "-" || found ~ /!$/ || wanted ~ /!$/) return 0
    split(found, f, ":")
    split(wanted, w, ":")
    if (w[1] ~ /d/ && f[1] ~ /d/) return 1 # KDE writes `[$di]`, which locks nothing
    if (w[1] ~ /i/ && f[1] !~ /i/) return 0
    if ((w[1] ~ /d/) != (f[1] ~ /d/) || f[2] != w[2]) return 0
    return !find(w[2], "24", 1) || (w[1] ~ /e/) == (f[1] ~ /e/)
}
function as_before(found, e) { # a lock or an option that the run gave it is not from before
    return (found != our[e] || found == was[e]) && meets(found, was[e])
}
function ours(found, e) {
    if (meets(found, our[e])) return 1
    return fallback[e] != "-" && (found == "-" || found ~ /^i?d:/)
}
function blank(n) { return trim(text[n]) == "" }
function bare(n) { return text[n] ~ /0d$/ ? substr(text[n], 1, length(text[n]) - 2) : text[n] }
function exchange(e,    n, i, held, place) { # all lines of the run's for all lines from before
    for (n = 1; n <= lines; n++) {
        if (kind[n] != "entry" || identity[n] != id_of[e]) continue
        if (bare(n) != our_line[e, ++held]) return 0
        place[held] = n
    }
    if (held + 0 != our_count[e]) return 0
    for (i = 1; i <= held; i++) {
        if (i <= old_count[e]) put(place[i], old_line[e, i])
        else take_out(place[i])
    }
    for (; i <= old_count[e]; i++) {
        if (held) behind[place[held]] = behind[place[held]] old_line[e, i] newline
        else add(e, old_line[e, i])
    }
    return 1
}
function put(n, body,    ending) { # another line of an entry, in the place of one
    ending = text[n] ~ /0d$/ ? "0d" : ""
    text[n] = body ending
    group = in_group[n]
    header_locked = locked_above[n]
    read_entry(trim(body), n)
}
function in_lines(e, n,    i) { # whether the run wrote this line of the entry
    for (i = 1; i <= our_count[e]; i++) if (our_line[e, i] == bare(n)) return 1
    return 0
}
function add(e, body,    n, first, last) { # behind the last entry of its group
    if (entry_group[e] == root) first = 0
    else {
        for (n = 1; n <= lines && !(kind[n] == "header" && in_group[n] == entry_group[e]); n++);
        if (n > lines) {
            if (!(entry_group[e] in begun)) {
                begun[entry_group[e]] = ++groups
                begins[groups] = lines && !blank(lines) || groups > 1 ? newline : ""
                begins[groups] = begins[groups] header[e] newline
            }
            begins[begun[entry_group[e]]] = begins[begun[entry_group[e]]] body newline
            return
        }
        first = n
    }
    last = first
    for (n = first + 1; n <= lines && kind[n] != "header"; n++) if (kind[n] == "entry") last = n
    after[last] = after[last] body newline
    for (n = 1; kind[n] == "gone"; n++);
    if (last == 0 && kind[n] == "header") spaced = newline # KDE's blank line before a group
}
function take_out(n) {
    kind[n] = "gone"
}
function drop_empty_group(e,    n, m, seen) { # drop the run's header of an empty group
    for (n = 1; n <= lines; n++) {
        if (kind[n] != "header" || in_group[n] != entry_group[e] || n in after) continue
        seen = 0
        for (m = n + 1; m <= lines && kind[m] != "header"; m++)
            if (kind[m] != "gone" && !blank(m)) seen = 1
        if (seen) continue
        kind[n] = "gone"
        for (m = n - 1; m > 0 && kind[m] == "gone"; m--);
        if (m > 0 && blank(m)) kind[m] = "gone"
    }
}
function back(e,    n, found) {
    if (our_count[e] + old_count[e] == 0 || !exchange(e)) {
        n = in_force(id_of[e])
        found = n ? says[n] : "-"
        if (as_before(found, e)) return
        if (!ours(found, e)) {
            print "left " named[e] >report
            return
        }
        if (line[e] != "-" && n) put(n, found ~ /^i/ && our[e] !~ /^i/ ? with_lock[e] : line[e])
        else if (line[e] != "-") add(e, line[e])
        else if (n) take_out(n)
        while ((n = in_force(id_of[e])) && !as_before(says[n], e)) { # it was behind the one before
            if (!(line[e] == "-" ? ours(says[n], e) : meets(says[n], our[e])) && !in_lines(e, n)) {
                print "left " named[e] >report
                break
            }
            take_out(n)
        }
    }
    if (is_new[e] == "new") drop_empty_group(e)
    changes++
    print "set " named[e] >report
}
function give(piece) { # print the piece before this one: only the last one may lose its end
    if (piece == "") return
    given = 1
    spell(waiting)
    waiting = piece
}
function spell(h,    n) {
    for (n = 1; n <= length(h); n += 4096) printf "%s\n", toupper(substr(h, n, 4096))
}
BEGIN {
    report = ENVIRON["REPORT"]
    root = "3c64656661756c743e" # <default>
    escapes["73"] = "20"; escapes["74"] = "09"; escapes["6e"] = "0a"; escapes["72"] = "0d"
    escapes["5c"] = "5c"; escapes["2c"] = "5c2c"; escapes["3b"] = "5c3b"
}
NR == FNR {
    if ($1 != "entry") next
    e = ++entries
    entry_group[e] = substr($2, 2); entry_key[e] = substr($3, 2); entry_locale[e] = $4
    our[e] = $5; fallback[e] = $6; was[e] = $7; line[e] = $8; with_lock[e] = $9; header[e] = $10; is_new[e] = $11
    id_of[e] = entry_group[e] " " entry_key[e] " " entry_locale[e]
    our_count[e] = old_count[e] = 0
    if ($12 != "-") our_count[e] = split($12, row_, ",")
    for (i = 1; i <= our_count[e]; i++) our_line[e, i] = row_[i]
    if ($13 != "-") old_count[e] = split($13, row_, ",")
    for (i = 1; i <= old_count[e]; i++) old_line[e, i] = row_[i]
    named[e] = $0
    for (i = 1; i <= 13; i++) sub(/^[^ ]* /, "", named[e])
    next
}
{
    ended = $1 == "0a"
    if (!ended) piece = piece $1
    # A long text grows by pieces: awk copies all of it each time.
    if (ended || length(piece) >= 4096) {
        row = row piece
        piece = ""
    }
    if (ended) {
        text[++lines] = row
        row = ""
    }
}
END {
    row = row piece
    if (!ended && lines + length(row) > 0) text[++lines] = row
    newline = text[1] ~ /0d$/ ? "0d0a" : "0a"
    group = root
    for (n = 1; n <= lines; n++) {
        h = trim(text[n])
        if (substr(h, 1, 2) == "5b") read_header(h, n)
        else if (h != "" && substr(h, 1, 2) != "23") read_entry(h, n)
        in_group[n] = group
        locked_above[n] = header_locked
    }
    top = blank(1)
    for (e = 1; e <= entries; e++) back(e)
    for (n = 1; n <= groups; n++) tail = tail begins[n] # groups that the file has no more
    give(after[0] spaced)
    for (n = 1; n <= lines; n++) {
        # A blank line between our entry and the next group.
        if (changes && !top && !given && blank(n)) kind[n] = "gone"
        if (kind[n] != "gone") give(text[n] (n < lines || ended ? "0a" : ""))
        more = behind[n] after[n]
        last_stays = kind[n] != "gone" && more == ""
        if (n == lines && !ended && kind[n] != "gone" && more tail != "") give(newline)
        give(more)
    }
    give(tail)
    # A file without a newline at its end keeps none.
    if (lines && !ended && !(last_stays && tail == "")) sub(/(0d)?0a$/, "", waiting)
    spell(waiting)
    print "end" >report
    close(report)
}
