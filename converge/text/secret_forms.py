"""Secrets without ``name=`` or ``name:`` before them: in a sentence, a command line, or as a token.

Regular expressions for ``converge.text.redact``, with their flags and, behind these, strings of
which one is in all that the expression matches. Where an expression has a group, the group is the
secret. Each takes time that is linear in the length of the text. Sentences are the harder part:
"the password is wrong" has no secret, "the password is swordfish" has one.
"""

from __future__ import annotations

import re
from typing import Any

_PASSWORD = r"(?:pass(?:word|wd|phrase|code)|passwort|kennwort|wachtwoord|mot de passe|contrase.a)"
#: One of these is in each of those words.
_IN_PASSWORDS = ("pass", "kennwort", "wachtwoord", "contrase")
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

PROSE: tuple[tuple[Any, ...], ...] = (
    # With a digit anywhere, without one as the last word.
    (
        rf"\b{_PASSWORD}s?{_IS}:?\s{{1,3}}[\"'`]?{_SAID}"
        r"((?=[^\s\"'`]{0,200}[0-9])[^\s\"'`]{4,}|[^\s\"'`.,;:()]{4,}(?=[\"'`]?[.!]?[ \t]*$))",
        re.IGNORECASE | re.MULTILINE,
        *_IN_PASSWORDS,
    ),
    (
        rf"\b(?:chang|set|reset)\w{{0,5}}\s{{1,3}}(?:the |your |its |my )?{_PASSWORD}\s{{1,3}}to"
        rf"\s{{1,3}}({_VALUE})",
        re.IGNORECASE,
        *_IN_PASSWORDS,
    ),
    (
        rf"\b{_PASSWORD}\s{{1,3}}(?:set|changed|reset)\s{{1,3}}to\s{{1,3}}({_VALUE})",
        re.IGNORECASE,
        *_IN_PASSWORDS,
    ),
    *(
        (rf"\b{_PASSWORD}s?\s{{1,3}}{q}([^{q}\n]{{3,200}}){q}", re.IGNORECASE, *_IN_PASSWORDS)
        for q in "\"'`"
    ),
    (
        rf"\b(?:with|using)\s{{1,3}}{_PASSWORD}\s{{1,3}}((?=[^\s\"'`]{{0,200}}[0-9])[^\s\"'`]{{6,}})",
        re.IGNORECASE,
        *_IN_PASSWORDS,
    ),
    (
        rf"\b(?:secret|token|api[- ]key|pin(?: code)?){_IS}\s{{1,3}}[\"'`]?"
        r"((?=[\w+/=.~-]{0,200}[0-9])[\w+/=.~-]{6,})",
        re.IGNORECASE,
        *("secret", "token", "api", "pin"),
    ),
    (r"\bkey provided:\s{1,3}(\S+)", re.IGNORECASE, "key provided:"),
    (
        r"\b(?:secret|token)\s{1,3}[\"'`]((?=[\w+/=.~-]{0,200}[0-9])[\w+/=.~-]{8,})[\"'`]",
        re.IGNORECASE,
        *("secret", "token"),
    ),
    (r"\b(?i:secret|seed)\s{1,3}([A-Z2-7]{16,})\b", 0),  # base32, of one-time passwords
    (
        r"\b(?:seed|recovery|mnemonic)(?: phrase| words)?\s{0,3}[:=]?\s{1,3}"
        r"((?:[a-z]{3,8}[ ,]{1,3}){4,24}[a-z]{3,8})",
        re.IGNORECASE,
        *("seed", "recovery", "mnemonic"),
    ),
    (r"\brecovery (?:key|code)s?\s{0,3}[:=]?\s{1,3}([\w-]{12,})", re.IGNORECASE, "recovery"),
)

#: Prefixes of tokens, each with what follows it.
TOKENS = (
    r"gh[pousr]_[A-Za-z0-9]{16,}",  # GitHub
    r"github_pat_\w{16,}",
    r"gl(?:pat|dt|rt|rtr|cbt|ptt|ft|imt|agent|oas|soat)-[\w-]{16,}",  # GitLab
    r"(?:xox[a-z]|xapp)-[\w-]{10,}|xoxe\.xox[bp]-[\w-]{10,}",  # Slack
    r"npm_[A-Za-z0-9]{16,}",
    r"pypi-[\w-]{16,}",
    r"hf_[A-Za-z0-9]{16,}",  # Hugging Face
    r"(?:sk|pk|rk|ak)[-_][\w-]{16,}",  # OpenAI, Anthropic, Stripe
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}",  # AWS
    r"AIza[\w-]{30,}|ya29\.[\w.-]{16,}|GOCSPX-[\w-]{16,}|1//[\w-]{30,}|AQ\.[\w-]{30,}",  # Google
    r"SG\.[\w-]{16,}\.[\w-]{16,}",  # SendGrid
    r"SK[0-9a-f]{32}|key-[0-9a-f]{32}|dapi[0-9a-f]{32}",  # Twilio, Mailgun, Databricks
    r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{16,}",  # Shopify
    r"do[opr]_v1_[0-9a-f]{16,}",  # DigitalOcean
    r"dckr_(?:pat|oat)_[\w-]{16,}",  # Docker
    r"dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{16,}",  # Doppler
    r"hv[sbr]\.[\w-]{16,}",  # Vault
    r"tskey-[\w-]{10,}",  # Tailscale
    r"lin_api_\w{16,}|secret_\w{16,}|ntn_\w{16,}|figd_[\w-]{16,}|PMAK-[\w-]{16,}",
    r"gls?[ac]_[\w-]{16,}|NRAK-[A-Z0-9]{16,}|sntr[yu]s_[\w=+/-]{16,}|sbp_\w{16,}|sb_secret_\w{16,}",
    r"pscale_\w{2,12}_[\w-]{16,}|f(?:m[12][rp]?|o1)_[\w+/=-]{16,}|r8_\w{16,}|gsk_\w{16,}",
    r"xai-\w{16,}|pplx-\w{16,}|rubygems_[0-9a-f]{16,}|cio[A-Za-z0-9]{32}",
    r"ATATT[\w=-]{16,}|ATBB\w{16,}|[A-Za-z0-9]{14}\.atlasv1\.[\w-]{16,}",  # Atlassian, Terraform
    r"(?:bot)?[0-9]{8,10}:AA[\w-]{30,}",  # Telegram
    r"eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)*",  # JSON web tokens
    r"AGE-(?:SECRET-KEY|PLUGIN)-[A-Z0-9-]{10,}",
    r"[\w.-]{1,64}:[A-Za-z0-9+/]{86}==",  # signing keys of Nix
    r"[MN][A-Za-z\d]{23,28}\.[\w-]{6}\.[\w-]{27,}",  # Discord
    r"nf[pcoub]_\w{16,}|HRKU-[\w-]{16,}|sq0[a-z]{3}-[\w-]{16,}|pul-[0-9a-f]{32,}",
    r"sk\.eyJ[\w-]{16,}\.[\w-]{16,}|sl\.[\w-]{40,}",  # Mapbox, Dropbox
    r"nsec1[a-z0-9]{50,}|[xyzt]prv[A-Za-z0-9]{80,}",  # Nostr, wallets
    r"RW[A-Z]TY0Iy[A-Za-z0-9+/]{40,}={0,2}",  # secret keys of minisign
    r"whsec_[A-Za-z0-9+/=]{16,}|CLOJARS_[0-9a-f]{32,}|AKCp[A-Za-z0-9]{32,}",  # Stripe, Artifactory
    r"ops_eyJ[\w-]{16,}|CCI(?:PAT|PRJ)_\w{16,}|bkua_[0-9a-f]{16,}",  # 1Password, CI services
    r"syt_[\w-]{16,}|APA91b[\w-]{32,}|pat[A-Za-z0-9]{14}\.[0-9a-f]{32,}",  # Matrix, Airtable
    r"[A-Za-z0-9_~.-]{3}[0-9]Q~[\w~.-]{30,}",  # secrets of Entra ID
)
#: One of these is in each of those tokens.
TOKEN_NEEDS = (
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "gl", "xox", "xapp", "npm_", "pypi-"),
    *("hf_", "sk-", "sk_", "pk-", "pk_", "rk-", "rk_", "ak-", "ak_", "AKIA", "ASIA", "ABIA"),
    *("ACCA", "AIza", "ya29.", "GOCSPX-", "1//", "AQ.", "SG.", "SK", "key-", "dapi", "shp"),
    *("_v1_", "dckr_", "dp.", "hvs.", "hvb.", "hvr.", "tskey-", "lin_api_", "secret_", "ntn_"),
    *("figd_", "PMAK-", "NRAK-", "sntr", "sbp_", "pscale_", "fm1", "fm2", "fo1", "r8_", "gsk_"),
    *("xai-", "pplx-", "rubygems_", "cio", "ATATT", "ATBB", ".atlasv1.", ":AA", "eyJ", "AGE-"),
    *("==", "M", "N", "nf", "sq0", "pul-", "sl.", "nsec1", "prv", "TY0Iy", "whsec_", "CLOJARS_"),
    *("HRKU-", "AKCp", "CCI", "bkua_", "syt_", "APA91b", "pat", "Q~"),
)

#: Expression, flags, and strings of which one is in all that it matches (``redact._Form``).
COMMANDS: tuple[tuple[Any, ...], ...] = (
    (rf"\b(?:7z[arz]?|(?:un)?rar)\b{_REST}-(?:hp|p)({_VALUE})", 0, "7z", "rar"),
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
        "clickhouse-client",
        "cqlsh",
        "influx",
        "mongo",
        "rdesktop",
        "useradd",
        "usermod",
        "vncviewer",
    ),
    (rf"\bsnmp\w{{1,10}}\b{_REST}-A[ =]?({_VALUE})", 0),
    (rf"\bsnmp\w{{1,10}}\b{_REST}-X[ =]?({_VALUE})", 0),
    (rf"\bopenssl\b{_REST}-[kK][ =]?({_VALUE})", 0),
    (rf"\bzerotier-cli\b{_REST}-T({_VALUE})", 0),
    (rf"\btransmission-remote\b{_REST}(?:-n|--auth)[ =]([^\s:]{{1,128}}:\S+)", 0),
    (rf"\bcurl\b{_REST}(?:-b|--cookie)[ =]?[\"']?([\w.-]{{1,128}}=[^\s\"']+)", 0),
    (r"(?<!\S)(?:-u|--user)[ =]?((?=\S{0,128}[0-9])[\w-]{16,256}:)(?!\S)", 0, "-u", "--user"),
    (rf"\bop\b{_REST}--session[ =](\S+)", 0),
    (r"\bx?freerdp\d?\b[^\n|;&]{0,300}?\s/p:(\S+)", 0, "freerdp"),
    (rf"\blftp\b{_REST}-u[ =]?[^\s,]{{1,128}},(\S+)", 0),
    (r"\bhtpasswd\s+-\w{0,8}b\w{0,8}\s+\S{1,200}\s+\S{1,128}\s+(\S+)", 0),
    (r"\bwpa_passphrase\s+(?:\"[^\"\n]{1,64}\"|\S{1,64})\s+(\S+)", 0),
    (rf"\bnmcli\b{_REST}(?:password|\S{{0,64}}(?:psk|wep-key\d?|password))\s+({_VALUE})", 0),
    (rf"\b(?:requirepass|masterauth|preshared-key)\s+({_VALUE})", 0),
    (r"(?m)^AUTH\s+(\S{4,})$", 0, "AUTH"),
    (r"\+login\s+\S{1,128}\s+([^\s+]\S*)", 0, "+login"),  # steamcmd
    (r"\bnickserv\s+identify\s+(\S+)", re.IGNORECASE, "nickserv"),
    (r"(?m)^[\w.]{1,16}\s+LOGIN\s+\S{1,128}\s+(\S+)", 0, "LOGIN"),  # IMAP
    (r"(?m)^\s{0,40}Pass\s+(\S{4,})[ \t]*$", 0, "Pass"),  # mbsync
    (
        rf"\becho\s+(?:-\w{{1,4}}\s+)?({_VALUE})\s*\|\s*(?:cryptsetup|chpasswd|kinit|passwd|su"
        r"|sudo -S|smbpasswd|gpg)\b",
        0,
    ),
    (rf"\bkwallet[\w-]{{0,16}}\b[^\n|;&]{{0,300}}?<<<\s*({_VALUE})", 0),
    (
        r"(?m)^\s{0,9}(?:\"[^\"\n]{1,128}\"|\S{1,128})\s+(?:\*|\"\*\")\s+\"([^\"\n]+)\"",
        0,
        "*",
    ),  # PPP
    (r"\bvault\s+(?:kv\s+put|write)\s+\S{1,200}\s+([^\n]+)", 0),
    (r"\battic\s+login\s+\S{1,128}\s+\S{1,200}\s+(\S+)", 0),
    (r"--from-literal[ =][^\s=]{1,128}=(\S+)", 0, "--from-literal"),
    (r"\bnet\s+use\s+\S{1,8}\s+\\\\\S{1,200}\s+([^\s/]\S*)", 0),
    (r"jdbc:oracle:\w{1,16}:[^\s/@]{1,128}/([^\s@]+)@", 0, "jdbc:oracle:"),
    (r"\bmachine\s+\S{1,255}\s+password\s+(\S+)", 0),
    (r"\blogin\s+\S{1,128}\s+account\s+(\S+)", 0),  # netrc
    (r"--proxy-auth[ =][\"']?[^\s:]{1,128}:([^\s\"']+)", 0, "--proxy-auth"),  # of a ProxyCommand
    (r"\biscsi:[^\s:@]{1,128}:([^\s@]+)@", 0, "iscsi:"),  # dracut.cmdline
    (
        rf"[$](?:pw|pwd|psk|pass\w{{0,12}}|secret|token)\s{{0,9}}:=\s{{0,9}}({_VALUE})",
        re.IGNORECASE,
        ":=",
    ),
    (r"\bnsec1([0-9a-z]{38,})\b", 0),
    (r"\bDigest\s+username=([^\n]+)", re.IGNORECASE, "username="),
    (r":([0-9a-fA-F]{32}:[0-9a-fA-F]{32}):::", 0, ":::"),  # NTLM
    (r"\$?\bpbkdf2[-_]sha\d{1,3}\$\d{1,9}\$(\S+)", 0, "pbkdf2"),
    (r"\bgrub\.pbkdf2\.sha512\.\d{1,9}\.([0-9A-F.]{32,})", 0),
)
