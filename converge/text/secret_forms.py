"""Secrets in a sentence or in a command line, where no ``name=`` or ``name:`` stands before them.

Regular expressions for ``converge.text.redact``, with their flags. Where an expression has a group,
the group is the secret. Each takes time that is linear in the length of the text. Sentences are the
harder part: "the password is wrong" has no secret, "the password is swordfish" has one.
"""

from __future__ import annotations

import re

_PASSWORD = r"(?:pass(?:word|wd|phrase|code)|passwort|kennwort|wachtwoord|mot de passe|contrase.a)"
#: Words after "the password is" that are not the password.
_SAID = (
    r"(?!(?:not|no|too|also|only|never|always|still|now|again|wrong|right|required|needed|missing"
    r"|set|unset|empty|blank|valid|invalid|correct|incorrect|expired|asked|refused|rejected"
    r"|accepted|given|known|unknown|stored|hidden|shown|sent|kept|read|used|unused|weak|strong"
    r"|short|long|changed|unchanged|locked|protected|encrypted|hashed|tested|there|here|optional"
    r"|disabled|enabled|allowed|denied|ignored|removed|secret|okay|true|false|none|null|yes|on|off"
    r"|bad|good|old|new|it|this|that|what|necessary|forbidden|supported|unsupported|mandatory"
    r"|different|identical|equal|available|unavailable|absent|present|safe|unsafe|entered|typed"
    r"|falsch|richtig|leer|abgelaufen|faux|incorrecta|vide)\b)"
)
_IS = (
    r"(?:\s{1,3}(?:for|of|f.r)\s{1,3}\S{1,64})?"
    r"\s{1,3}(?:is|was|ist|war|lautet|->|=>|\N{RIGHTWARDS ARROW})"
)
_VALUE = r"\"[^\"\n]{1,500}\"|'[^'\n]{1,500}'|[^\s\"'-]\S{0,500}"
_REST = r"[^\n|;&]{0,300}?\s"  # of a command, before the option

PROSE: tuple[tuple[str, int], ...] = (
    # With a digit anywhere, without one as the last word.
    (
        rf"\b{_PASSWORD}s?{_IS}:?\s{{1,3}}[\"'`]?{_SAID}"
        r"((?=[^\s\"'`]{0,200}[0-9])[^\s\"'`]{4,}|[^\s\"'`.,;:()]{4,}(?=[\"'`]?[.!]?[ \t]*$))",
        re.IGNORECASE | re.MULTILINE,
    ),
    (
        rf"\b(?:chang|set|reset)\w{{0,5}}\s{{1,3}}(?:the |your |its |my )?{_PASSWORD}\s{{1,3}}to"
        rf"\s{{1,3}}({_VALUE})",
        re.IGNORECASE,
    ),
    (rf"\b{_PASSWORD}\s{{1,3}}(?:set|changed|reset)\s{{1,3}}to\s{{1,3}}({_VALUE})", re.IGNORECASE),
    *((rf"\b{_PASSWORD}s?\s{{1,3}}{q}([^{q}\n]{{3,200}}){q}", re.IGNORECASE) for q in "\"'`"),
    (
        rf"\b(?:with|using)\s{{1,3}}{_PASSWORD}\s{{1,3}}((?=[^\s\"'`]{{0,200}}[0-9])[^\s\"'`]{{6,}})",
        re.IGNORECASE,
    ),
    (
        rf"\b(?:secret|token|api[- ]key|pin(?: code)?){_IS}\s{{1,3}}[\"'`]?"
        r"((?=[\w+/=.~-]{0,200}[0-9])[\w+/=.~-]{6,})",
        re.IGNORECASE,
    ),
    (r"\bkey provided:\s{1,3}(\S+)", re.IGNORECASE),
    (
        r"\b(?:secret|token)\s{1,3}[\"'`]((?=[\w+/=.~-]{0,200}[0-9])[\w+/=.~-]{8,})[\"'`]",
        re.IGNORECASE,
    ),
    (r"\b(?i:secret|seed)\s{1,3}([A-Z2-7]{16,})\b", 0),  # base32, of one-time passwords
    (
        r"\b(?:seed|recovery|mnemonic)(?: phrase| words)?\s{0,3}[:=]?\s{1,3}"
        r"((?:[a-z]{3,8}[ ,]{1,3}){4,24}[a-z]{3,8})",
        re.IGNORECASE,
    ),
    (r"\brecovery (?:key|code)s?\s{0,3}[:=]?\s{1,3}([\w-]{12,})", re.IGNORECASE),
)

COMMANDS: tuple[tuple[str, int], ...] = (
    (rf"\b(?:7z[arz]?|(?:un)?rar)\b{_REST}-(?:hp|p)({_VALUE})", 0),
    (
        r"\b(?:zip|unzip|zipcloak|sqlcmd|isql|tsql|bcp|ipmitool)\b"
        rf"{_REST}-P[ =]?({_VALUE})",
        0,
    ),
    (rf"\bssh-keygen\b{_REST}-[NP][ =]?({_VALUE})", 0),
    (
        r"\b(?:docker|podman|nerdctl|buildah|skopeo|helm|oras|az|cf|oc)\s[^\n|;&]{0,100}?\blogin\b"
        rf"{_REST}-p[ =]?({_VALUE})",
        0,
    ),
    (
        r"\b(?:mongo\w{0,8}|cqlsh|rdesktop|vncviewer|useradd|usermod|influx|clickhouse-client)\b"
        rf"{_REST}-p[ =]?({_VALUE})",
        0,
    ),
    (rf"\bsnmp\w{{1,10}}\b{_REST}-A[ =]?({_VALUE})", 0),
    (rf"\bsnmp\w{{1,10}}\b{_REST}-X[ =]?({_VALUE})", 0),
    (rf"\bopenssl\b{_REST}-[kK][ =]?({_VALUE})", 0),
    (rf"\bzerotier-cli\b{_REST}-T({_VALUE})", 0),
    (rf"\btransmission-remote\b{_REST}(?:-n|--auth)[ =]([^\s:]{{1,128}}:\S+)", 0),
    (rf"\bcurl\b{_REST}(?:-b|--cookie)[ =]?[\"']?([\w.-]{{1,128}}=[^\s\"']+)", 0),
    (r"(?<!\S)(?:-u|--user)[ =]?((?=\S{0,128}[0-9])[\w-]{16,256}:)(?!\S)", 0),
    (rf"\bop\b{_REST}--session[ =](\S+)", 0),
    (r"\bx?freerdp\d?\b[^\n|;&]{0,300}?\s/p:(\S+)", 0),
    (rf"\blftp\b{_REST}-u[ =]?[^\s,]{{1,128}},(\S+)", 0),
    (r"\bhtpasswd\s+-\w{0,8}b\w{0,8}\s+\S{1,200}\s+\S{1,128}\s+(\S+)", 0),
    (r"\bwpa_passphrase\s+(?:\"[^\"\n]{1,64}\"|\S{1,64})\s+(\S+)", 0),
    (rf"\bnmcli\b{_REST}(?:password|\S{{0,64}}(?:psk|wep-key\d?|password))\s+({_VALUE})", 0),
    (rf"\b(?:requirepass|masterauth|preshared-key)\s+({_VALUE})", 0),
    (r"(?m)^AUTH\s+(\S{4,})$", 0),
    (r"\+login\s+\S{1,128}\s+([^\s+]\S*)", 0),  # steamcmd
    (r"\bnickserv\s+identify\s+(\S+)", re.IGNORECASE),
    (r"(?m)^[\w.]{1,16}\s+LOGIN\s+\S{1,128}\s+(\S+)", 0),  # IMAP
    (r"(?m)^\s{0,40}Pass\s+(\S{4,})[ \t]*$", 0),  # mbsync
    (
        rf"\becho\s+(?:-\w{{1,4}}\s+)?({_VALUE})\s*\|\s*(?:cryptsetup|chpasswd|kinit|passwd|su"
        r"|sudo -S|smbpasswd|gpg)\b",
        0,
    ),
    (rf"\bkwallet[\w-]{{0,16}}\b[^\n|;&]{{0,300}}?<<<\s*({_VALUE})", 0),
    (r"(?m)^\s{0,9}(?:\"[^\"\n]{1,128}\"|\S{1,128})\s+(?:\*|\"\*\")\s+\"([^\"\n]+)\"", 0),  # PPP
    (r"\bvault\s+(?:kv\s+put|write)\s+\S{1,200}\s+([^\n]+)", 0),
    (r"\battic\s+login\s+\S{1,128}\s+\S{1,200}\s+(\S+)", 0),
    (r"--from-literal[ =][^\s=]{1,128}=(\S+)", 0),
    (r"\bnet\s+use\s+\S{1,8}\s+\\\\\S{1,200}\s+([^\s/]\S*)", 0),
    (r"jdbc:oracle:\w{1,16}:[^\s/@]{1,128}/([^\s@]+)@", 0),
    (r"\bmachine\s+\S{1,255}\s+password\s+(\S+)", 0),
    (r"\blogin\s+\S{1,128}\s+account\s+(\S+)", 0),  # netrc
    (r"--proxy-auth[ =][\"']?[^\s:]{1,128}:([^\s\"']+)", 0),  # of a ProxyCommand
    (r"\biscsi:[^\s:@]{1,128}:([^\s@]+)@", 0),  # dracut.cmdline
    (
        rf"[$](?:pw|pwd|psk|pass\w{{0,12}}|secret|token)\s{{0,9}}:=\s{{0,9}}({_VALUE})",
        re.IGNORECASE,
    ),
    (r"\bnsec1([0-9a-z]{38,})\b", 0),
    (r"\bDigest\s+username=([^\n]+)", re.IGNORECASE),
    (r":([0-9a-fA-F]{32}:[0-9a-fA-F]{32}):::", 0),  # NTLM
    (r"\$?\bpbkdf2[-_]sha\d{1,3}\$\d{1,9}\$(\S+)", 0),
    (r"\bgrub\.pbkdf2\.sha512\.\d{1,9}\.([0-9A-F.]{32,})", 0),
)
