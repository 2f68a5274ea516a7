"""Secrets in a sentence or in a command line are hidden, and ordinary sentences are not.

Each is put together here, so that no file of this project holds a text that looks like one.
"""

from __future__ import annotations

import io
import time

import pytest

from converge.report.terminal import Terminal
from converge.text import redact
from tasks.reach.output import Harmless
from tests.report.test_secrets import B64, HEX, L16, L24, L36, L40

P = "hunter2xyz"
BASE32 = "MZXW6YTBOI2GK3TP"

#: What it is -> the text, and the part of it that nobody may see.
SAID: dict[str, tuple[str, str]] = {
    "one-time password": (f"TOTP secret {BASE32}", BASE32),
    "netrc, account": (f"machine h.example login me account {P} password x1y2", P),
    "ProxyCommand of ncat": (f"ProxyCommand ncat --proxy-auth me:{P} %h %p", P),
    "ProxyCommand, joined": (f"--proxy-auth=me:{P}", P),
    "kernel, iSCSI": (f"init=/x netroot=iscsi:me:{P}@10.0.0.1::::t quiet", P),
    "kernel, credential": (f"quiet systemd.set_credential=passwd.plaintext-password.root:{P}", P),
    "template of chezmoi": ('{{ $pw := "' + P + '" }}', P),
    "template of chezmoi, token": ("{{ $token := " + f"'{L24}'" + " }}", L24),
    "nostr": (f"nsec1{HEX[:58]}", HEX[:58]),
    "systemd": (f"Environment=API_TOKEN={L24}", L24),
    "Electron": (f"code --proxy-server=http://me:{P}@proxy:3128", P),
    "Electron, client": (f"--oauth2-client-secret={L24}", L24),
    "git, helper": (f"helper = !f() {{ echo username=me; echo password={P}; }}; f", P),
    "git, header": (f"http.extraheader=AUTHORIZATION: basic {B64[:24]}", B64[:24]),
    "git, insteadOf": (f'url."https://oauth2:{L24}@gitlab.example/".insteadOf=https://x/', L24),
    "SOPS": (f"SOPS_AGE_KEY=AGE-SECRET-KEY-1{L40.upper()}", L40.upper()),
    "a plain word": ("the password is swordfish", "swordfish"),
    "a plain word, with a full stop": ("Your passphrase was swordfish.", "swordfish"),
    "quoted with blanks": ('the password "correct horse battery" was refused', "correct horse"),
    "7z, with blanks": (f"7z x -p'two {P}' a.7z", P),
    "prose is": (f"the password is {P}", P),
    "prose is, quoted": (f"the passphrase is '{P}'", P),
    "prose was": (f"Your old password was {P}.", P),
    "prose set to": (f"password set to {P}", P),
    "prose for": (f"password for me is {P}", P),
    "prose changed": (f"changed password to {P}", P),
    "prose arrow": (f"password -> {P}", P),
    "prose secret": (f"the secret is {P}", P),
    "prose pin": ("PIN is 483920", "483920"),
    "prose token quoted": (f"using token '{P}'", P),
    "prose invalid password": (f'invalid password "{P}"', P),
    "prose apikey": (f"Incorrect API key provided: {P}", P),
    "german": (f"Passwort: {P}", P),
    "german2": (f"Kennwort={P}", P),
    "french": (f"mot de passe : {P}", P),
    "spanish": (f"contraseña: {P}", P),
    "pw": (f"pw={P}", P),
    "pw2": (f"db_pw: {P}", P),
    "7z": (f"7z x -p{P} a.7z", P),
    "7za": (f"7za a -mhe=on -p{P} a.7z f", P),
    "zip": (f"zip -P {P} a.zip f", P),
    "zip2": (f"zip -r -P{P} a.zip f", P),
    "unzip": (f"unzip -P {P} a.zip", P),
    "rar": (f"unrar x -p{P} a.rar", P),
    "rar hp": (f"rar a -hp{P} a.rar", P),
    "sshpass env": (f"SSHPASS={P} sshpass -e ssh x", P),
    "curl u token": (f"curl -u {L24}: https://api", L24),
    "curl -b": (f"curl -b session={L24} x", L24),
    "digest hdr": (f'Authorization: Digest username="a", response="{HEX[:32]}"', HEX[:32]),
    "docker login": (f"docker login -u me -p {P} reg", P),
    "url with @ in pw": (f"postgres://me:a@{P}@db/x", P),
    "url path token tg": (f"https://api.telegram.org/bot123456789:AA{L40[:33]}/x", L40[:33]),
    "openssl env": (f"openssl enc -k {P} -aes256", P),
    "openssl -K": (f"openssl enc -aes-256-cbc -K {HEX} -iv 00", HEX),
    "Slack xoxe": (f"xoxe.xoxp-1-{L40}", L40),
    "Google AQ": (f"AQ.Ab8{L40}", L40),
    "Fly2": (f"fo1_{L40}", L40),
    "Supabase2": (f"sb_secret_{L24}", L24),
    "attic": (f"attic login x https://y {L24}", L24),
    "netrc pass first": (f"machine h password {P} login me", P),
    "kwallet": (f"kwallet-query -w Entry kdewallet <<< {P}", P),
    "wpa_passphrase": (f"wpa_passphrase Home {P}", P),
    "nmcli": (f"nmcli dev wifi connect Home password {P}", P),
    "nmcli2": (f"nmcli con modify Home wifi-sec.psk {P}", P),
    "cryptsetup": (f"echo {P} | cryptsetup open /dev/x y", P),
    "chpasswd": (f"echo root:{P} | chpasswd", P),
    "net use": (f"net use z: \\\\h\\s {P} /user:me", P),
    "borg": (f"BORG_PASSCOMMAND='echo {P}'", P),
    "kubectl literal": (f"kubectl create secret generic x --from-literal=pw={P}", P),
    "vault write": (f"vault kv put secret/x value={P}", P),
    "mongo": (f"mongo -u me -p {P}", P),
    "sqlcmd": (f"sqlcmd -S x -U me -P {P}", P),
    "bcp": (f"isql -U me -P {P}", P),
    "JDBC oracle": (f"jdbc:oracle:thin:me/{P}@h:1521:x", P),
    "ipmitool": (f"ipmitool -H h -U me -P {P} power", P),
    "snmp": (f"snmpwalk -v3 -A {P} -X other h", P),
    "xfreerdp": (f"xfreerdp /u:me /p:{P} /v:h", P),
    "rdesktop": (f"rdesktop -u me -p {P} h", P),
    "lftp": (f"lftp -u me,{P} ftp://h", P),
    "kinit": (f"echo {P} | kinit me", P),
    "htpasswd -b": (f"htpasswd -b file me {P}", P),
    "redis": (f"requirepass {P}", P),
    "redis auth": (f"AUTH {P}", P),
    "ssh key pw": (f"ssh-keygen -N {P} -f k", P),
    "ssh-keygen -P": (f"ssh-keygen -p -P {P} -N '' -f k", P),
    "useradd -p": (f"useradd -p {P} me", P),
    "chezmoi data": (f'[data]\nbitwarden_session = "{L24}"', L24),
    "chezmoi op": (f"op read op://x/y --session {L24}", L24),
    "OP_SESSION": (f"OP_SESSION_my={L40}", L40),
    "recovery": ("recovery key: 123456-234567-345678", "123456-234567-345678"),
    "seed phrase": (
        "seed phrase: abandon ability able about above absent absorb",
        "ability",
    ),
    "mnemonic": ("mnemonic abandon ability able about above absent", "ability"),
    "luks": (f"rd.luks.key={P}", P),
    "laravel": (f"APP_KEY=base64:{B64[:43]}=", B64[:43]),
    "IMAP": (f"a1 LOGIN me {P}", P),
    "mbsync": (f"Pass {P}", P),
    "offlineimap": (f"remotepass = {P}", P),
    "irssi": (f"/msg nickserv identify {P}", P),
    "ppp": (f'me * "{P}" *', P),
    "chap": (f'"me" "*" "{P}"', P),
    "wg genpsk": (f"wg set wg0 peer x preshared-key {P}", P),
    "zerotier": (f"zerotier-cli -T{L24} info", L24),
    "rpc auth": (f"transmission-remote -n me:{P} -l", P),
    "steam": (f"steamcmd +login me {P} +quit", P),
    "properties": (f"systemProp.gpr.key={L24}", L24),
    "ntlm": (f"user:500:{HEX[:32]}:{HEX[:32]}:::", HEX[:32]),
    "pbkdf2": (f"$pbkdf2-sha256$29000${L24}${L36}", L36),
    "pbkdf2 django": (f"pbkdf2_sha256$260000${L16}${B64[:43]}=", B64[:43]),
    "grub": (f"grub.pbkdf2.sha512.10000.{HEX.upper()}.{HEX.upper()}", HEX.upper()),
}

#: Sentences and commands that tell none.
KEPT = (
    "the password is wrong",
    "The password is required for sudo",
    "password is not set.",
    "the password was changed yesterday",
    "the password is asked for at each login",
    "the password of me is locked",
    "password is 12 characters long, token is 40 characters",
    "sudo: a password is required",
    "sudo: 3 incorrect password attempts",
    "me@host: Permission denied (publickey,password).",
    "password authentication is disabled",
    "mitsio ALL=(root) NOPASSWD: /bin/sh, /usr/bin/sh",
    "error: unexpected token '}'",
    "syntax error near unexpected token `('",
    "error code is 0x80004005, exit code is 128",
    "the pin is on GPIO4",
    "the secret is out, the key is in the lock",
    "unzip -l a.zip; zip -r a.zip dir; 7z x -oout a.7z",
    "docker login registry.example; docker run -p 8080:80 nginx; mkdir -p /a",
    "ssh-keygen -t ed25519 -f k; scp -P 22 a b; rsync -P a b; ssh -p 22 h",
    "curl -b cookies.txt x; echo a | sudo tee /etc/x; openssl version -a",
    "the passphrase is remembered by ssh-agent",
    "recovery mode: on; seed is 42; tokens 4096",
    "the first pass was 30% slower, pass 3 of 5",
    "Pass 1",
)


@pytest.mark.parametrize("name", SAID)
def test_a_secret_that_is_said_is_hidden_everywhere(name: str) -> None:
    text, secret = SAID[name]
    assert secret in text
    found = redact.secrets(text)
    assert secret not in found
    assert redact.secrets(found) == found
    stream, behind = io.StringIO(), io.StringIO()
    Terminal(stream).line(text)
    print(text, file=Harmless(behind))
    for shown in (stream.getvalue(), behind.getvalue(), str(redact.record({"text": text}))):
        assert secret not in shown.replace("\n", "").replace(" ", "")


@pytest.mark.parametrize("text", KEPT)
def test_an_ordinary_sentence_stays_as_it_is(text: str) -> None:
    assert redact.secrets(text) == text


@pytest.mark.slow
@pytest.mark.parametrize(
    "filler",
    [
        *("password is ", 'password "', "7z -", "zip a ", "curl a ", "docker login ", "echo a "),
        *("vault write ", "recovery a ", "seed phrase abcd ", "LOGIN a ", '"a" * ', "nmcli "),
        *("jdbc:oracle:a:", "://a:@", "machine a password ", "secret A", "openssl -", "mysql "),
    ],
)
def test_no_sentence_takes_more_than_a_moment(filler: str) -> None:
    text = (filler * redact.EXAMINED)[: redact.EXAMINED]
    began = time.process_time()
    redact.secrets(text)
    assert time.process_time() - began < 4
