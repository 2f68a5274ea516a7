"""Secrets that people have reach neither terminal, journal, report, JUnit nor the process list.

Each is put together here, so that no file of this project holds a text that looks like one.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converge.journal.form import taken
from converge.journal.journal import read
from converge.journal.kinds import KINDS
from converge.report.terminal import Terminal
from converge.subjects.settings import ALL
from converge.text import redact
from tasks.reach.output import Harmless
from tasks.run.journal import Journal
from tests.report.regular import each_match_has
from tests.report.test_report_hostile import forms, places, records, replaced, report_of


def letters(number: int, seed: str = "") -> str:
    """Letters and digits without a meaning."""
    data = b"".join(hashlib.sha256(f"{seed}{i}".encode()).digest() for i in range(8))
    text = base64.b64encode(data).decode().replace("+", "Q").replace("/", "Z")
    return f"a1B{text}"[:number]


HEX = hashlib.sha256(b"planted").hexdigest()
L16, L24, L36, L40 = (letters(size) for size in (16, 24, 36, 40))
B64 = base64.b64encode(bytes(range(64))).decode()
UPPER = letters(30).upper()

#: What it is -> the text, and the part of it that nobody may see.
PLANTED: dict[str, tuple[str, str]] = {
    "GitHub, classic": (f"x ghp_{L36} y", L36),
    "GitHub, fine-grained": (f"github_pat_{L24}_{L36}", L36),
    "GitHub, app": (f"'ghs_{L36}'", L36),
    "GitLab": (f"glpat-{L24[:20]}", L24[:20]),
    "GitLab, runner": (f"glrt-{L24[:20]}", L24[:20]),
    "Slack, bot": (f"xoxb-1234567890-{L24}", L24),
    "Slack, app": (f"xapp-1-A1-{L24}", L24),
    "Slack, hook": (f"https://hooks.slack.com/services/T0/B0/{L24}", L24),
    "Discord, hook": (f"https://discord.com/api/webhooks/123456789/{L36}", L36),
    "npm": (f"//registry.example/:_authToken=npm_{L36}", L36),
    "npm, bare": (f"npm_{L36}", L36),
    "PyPI": (f"pypi-AgEIcHlwaS5vcmc{L36}", L36),
    "Hugging Face": (f"hf_{L36[:34]}", L36[:34]),
    "AWS, key": (f"AKIA{UPPER[:16]}", UPPER[:16]),
    "AWS, session": (f"ASIA{UPPER[:16]}", UPPER[:16]),
    "AWS, secret": (f"aws_secret_access_key = {L40}", L40),
    "Google, API": (f"AIza{L40[:35]}", L40[:35]),
    "Google, access": (f"ya29.{L40}", L40),
    "Google, client": (f"GOCSPX-{L24}", L24),
    "OpenAI": (f"sk-proj-{L40}", L40),
    "Anthropic": (f"sk-ant-api03-{L40}", L40),
    "Stripe": (f"sk_live_{L24}", L24),
    "SendGrid": (f"SG.{L24}.{L40}", L40),
    "Twilio": (f"SK{HEX[:32]}", HEX[:32]),
    "Mailgun": (f"key-{HEX[:32]}", HEX[:32]),
    "Databricks": (f"dapi{HEX[:32]}", HEX[:32]),
    "Shopify": (f"shpat_{HEX[:32]}", HEX[:32]),
    "DigitalOcean": (f"dop_v1_{HEX}", HEX),
    "Docker": (f"dckr_pat_{L24}", L24),
    "Vault": (f"hvs.{L40}", L40),
    "Tailscale": (f"tskey-auth-{L24}", L24),
    "Linear": (f"lin_api_{L40}", L40),
    "Grafana": (f"glsa_{L36}", L36),
    "crates.io": (f"cio{letters(32)}", letters(32)),
    "RubyGems": (f"rubygems_{HEX[:48]}", HEX[:48]),
    "Telegram": (f"123456789:AA{L40[:33]}", L40[:33]),
    "Atlassian": (f"ATATT{L40}", L40),
    "JSON web token": (f"eyJhbGciOiJ.eyJzdWIi{L24}.{L36}", L24),
    "age": (f"AGE-SECRET-KEY-1{UPPER}", UPPER),
    "Nix, signing key": (f"cache.example-1:{B64}", B64),
    "OpenSSH key": (
        f"-----BEGIN OPENSSH PRIVATE KEY-----\n{L40}\n{L36}\n-----END OPENSSH PRIVATE KEY-----",
        L36,
    ),
    "RSA key, cut": (f"-----BEGIN RSA PRIVATE KEY-----\n{L40}", L40),
    "PGP key": (f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{L40}\n", L40),
    "WireGuard": (f"PrivateKey = {B64[:43]}=", B64[:43]),
    "WireGuard, shared": (f"PresharedKey={B64[:43]}=", B64[:43]),
    "URL, user and password": (f"https://me:{L16}@host/x", L16),
    "URL, token as user": (f"https://{L24}@host.example/repo.git", L24),
    "URL, token as user of git+https": (f"git+https://{L24}@host.example/repo.git", L24),
    "URL, token and empty password": (f"https://{L24}:@host/x", L24),
    "URL, database": (f"postgres://app:{L16}@db/app", L16),
    "URL, ssh with a token": (f"ssh://{L24}@host/x", L24),
    "URL, signed by AWS": (f"https://s3/x?a=1&X-Amz-Signature={HEX}&b=2", HEX),
    "URL, signed by Azure": (f"https://blob/x?sv=1&sig={L24}%3D", L24),
    "URL, signed by Google": (f"https://gcs/x?X-Goog-Signature={HEX}", HEX),
    "URL, token": (f"https://host/x?access_token={L24}", L24),
    "URL, key": (f"https://host/x?a=b&key={L24}#f", L24),
    "otpauth": (f"otpauth://totp/a:b?secret={UPPER}&issuer=x", UPPER),
    "access-tokens, first": (f"access-tokens = github.com={L24}", L24),
    "access-tokens, second": (f"access-tokens = github.com=x gitlab.com=PAT:{L24}", L24),
    "access-tokens, more": (f"extra-access-tokens = a.b=c d.e={L24}\n", L24),
    "access-tokens, JSON": (f'"access-tokens":{{"value":{{"a":"b","c":"{L24}"}}}}', L24),
    "curl -u": (f"curl -u me:{L16} https://host", L16),
    "curl --user": (f"curl --user=me:{L16} https://host", L16),
    "curl -u, joined": (f"curl -ume:{L16} https://host", L16),
    "curl, header": (f"curl -H 'Authorization: Basic {B64[:24]}'", B64[:24]),
    "header, bearer": (f"Authorization: Bearer {L24}", L24),
    "header, token": (f"authorization: token {L24}", L24),
    "header, cookie": (f"Cookie: a=b; session={L24}", L24),
    "header, key": (f"X-Api-Key: {L24}", L24),
    "sshpass": (f"sshpass -p {L16} ssh host", L16),
    "flag, password": (f"tool --password {L16} x", L16),
    "flag, token": (f"tool --api-token {L16}", L16),
    "netrc, one line": (f"machine host login me password {L16}", L16),
    "netrc, several lines": (f"machine host\n  login me\n  password {L16}\n", L16),
    "environment, password": (f"PGPASSWORD={L16}", L16),
    "environment, quoted": (f'export DB_PASS="two words {L16}"', L16),
    "environment, PAT": (f"GITHUB_PAT={L16}", L16),
    "environment, passphrase": (f"BORG_PASSPHRASE=three {L16} words", L16),
    "environment, MySQL": (f"MYSQL_PWD={L16}", L16),
    "environment.d": (f"RESTIC_PASSWORD={L16}\n", L16),
    "unit": (f"Environment=API_TOKEN={L16}", L16),
    "fish": (f"set -gx CACHIX_AUTH_TOKEN {L16}", L16),
    "KDE entry": (f"Password[$e]={L16}", L16),
    "KDE entry of a language": (f"Token[de_AT@euro]={L16}", L16),
    "KDE entry with options apart": (f"ApiKey[$e][$i]={L16}", L16),
    "KDE entry with blanks": (f"+WebdavPassword=one two {L16}", L16),
    "wpa_supplicant": (f'psk="{L16}"', L16),
    "YAML": (f"client_secret: {L16}", L16),
    "JSON": (f'{{"a": 1, "privateKey": "{L16}"}}', L16),
    "JSON in JSON": (f'"{{\\"token\\": \\"{L16}\\"}}"', L16),
    "TOML": (f"api_key = '{L16}'", L16),
    "connection string": (f"DefaultEndpointsProtocol=https;AccountKey={B64[:60]};x=y", B64[:60]),
    "password hash": (f"root:$6$salt${L36}:1::", L36),
    "yescrypt": (f"$y$j9T$salt${L36}", L36),
    "LDAP hash": (f"{{SSHA}}{L36}", L36),
    "htpasswd": (f"me:$apr1$salt$salt/{L24}", L24),
    "Netlify": (f"nfp_{L36}", L36),
    "Heroku": (f"HRKU-{L36}", L36),
    "Square": (f"sq0atp-{L24}", L24),
    "Mapbox": (f"sk.eyJ1IjoibWUiLCJhIjoieCJ9{L16}.{L24}", L24),
    "Dropbox": (f"sl.{L40}{L40}", L40),
    "Pulumi": (f"pul-{HEX[:40]}", HEX[:40]),
    "Nostr": (f"nsec1{L40.lower()}{L24.lower()}", L40.lower()),
    "wallet": (f"xprv{L40}{L40}{L40}", L40),
    "Redis without a user": (f"redis://:{L16}@cache:6379/0", L16),
    "redis-cli": (f"redis-cli -h cache -a {L16} ping", L16),
    "MySQL's own option": (f"mysql -u me -p{L16} shop", L16),
    "LDAP's own option": (f"ldapsearch -x -D cn=me -w {L16}", L16),
    "HTTPie": (f"http --auth me:{L16} GET x", L16),
    "smbclient": (f"smbclient -U me%{L16} //h/s", L16),
    "SQL": (f"CREATE USER me IDENTIFIED BY '{L16}';", L16),
    "pgpass": (f"db.lan:5432:shop:me:{L16}", L16),
    "cookie jar": (f".x.org\tTRUE\t/\tTRUE\t0\tid\t{L24}", L24),
    "XML": (f"<password>{L16}</password>", L16),
    "percent code": (f"user=me&password%3D{L16}", L16),
    "name and value": (f'[{{"name": "DB_PASSWORD", "value": "{L16}"}}]', L16),
    "YAML block": (f"db_password: |\n  {L16}\nnext: 1", L16),
    "WEP": (f"wep-key0={L16}", L16),
    "Zapier, hook": (f"https://hooks.zapier.com/hooks/catch/12345/{L16}", L16),
    "Teams, hook": (f"https://x.webhook.office.com/webhookb2/{L24}@y/IncomingWebhook/z", L24),
    "Stripe, hook": (f"whsec_{L36}", L36),
    "Clojars": (f"CLOJARS_{HEX[:60]}", HEX[:60]),
    "Artifactory": (f"AKCp8{L40}{L24}", L40),
    "1Password, service": (f"ops_eyJ{L40}", L40),
    "CircleCI": (f"CCIPAT_{L24}_{L36}", L36),
    "Buildkite": (f"bkua_{HEX[:40]}", HEX[:40]),
    "Matrix": (f"syt_{L24}_{L24}_abc", L24),
    "Firebase": (f"AAAA1234567:APA91b{L40}{L40}", L40),
    "Airtable": (f"pat{L16[:14]}.{HEX}", HEX),
    "Entra ID": (f"abc8Q~{L40[:34]}", L40[:34]),
    "OpenVPN, static key": (
        f"-----BEGIN OpenVPN Static key V1-----\n{HEX}\n-----END OpenVPN Static key V1-----",
        HEX,
    ),
    "SSH2 key": (
        f"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n{L40}\n"
        "---- END SSH2 ENCRYPTED PRIVATE KEY ----",
        L40,
    ),
    "openssl": (f"openssl rsa -passin pass:{L16} -in k", L16),
    "IPsec": (f'me : PSK "{L16}"', L16),
    "Bitwarden": (f"BW_SESSION={B64[:40]}==", B64[:40]),
    "RSA key in XML": (f"<RSAKeyValue><D>{B64[:60]}</D></RSAKeyValue>", B64[:60]),
    "IFTTT, hook": (f"https://maker.ifttt.com/trigger/door/with/key/{L24}", L24),
}

#: What a person has to read or type, and no secret.
KEPT = (
    "python -m tasks.trust --fingerprint SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU host",
    "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    "/nix/store/0000000000000000000000000000000a-openssl-3.0.14/bin/openssl",
    "the host key of [127.0.0.1]:2222 is not known (/k); nothing was connected",
    "sudo asks for a password; see docs/ssh.md, nothing was run",
    "inventory host some: ssh_key: No such private key file: /k; name a key file",
    "git+file:///home/me/flake?dir=sub and git+ssh://git@github.com/me/flake",
    "[Compositing] Backend XRender -> OpenGL; passed 12, bypass=off, compass: north, tokyo=1",
    "-march=skylake -mtune=generic --user-unit kwin -u root --user",
    "trusted-public-keys = cache.example-1:" + B64[:43] + "=",
    "accept=libraries.openssl --data plan=abcdef012345 --limit some",
    "rsync -a me@host:/x /y and ssh -p 2222 host and ps -w, redis-cli --version, ldapsearch -x",
    "09:15:42:me: x, a:b:c:d:e, 10de:1401, host:22:x, mysql: none, <title>password</title>",
    "keys: 3, key=value, keyboard=us, session variables: 2, authority: none, author: me",
)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_secret_is_hidden_and_what_is_around_it_stays(name: str) -> None:
    text, secret = PLANTED[name]
    assert secret in text
    found = redact.secrets(text)
    assert secret not in found
    assert redact.HIDDEN in found
    assert redact.secrets(found) == found


def test_more_than_a_hundred_kinds_are_planted() -> None:
    assert len(PLANTED) > 100


@pytest.mark.parametrize("text", KEPT)
def test_what_is_no_secret_stays_as_it_is(text: str) -> None:
    assert redact.secrets(text) == text


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_secret_reaches_no_line_of_the_terminal(name: str) -> None:
    text, secret = PLANTED[name]
    stream, behind = io.StringIO(), io.StringIO()
    terminal, covered = Terminal(stream), Harmless(behind)
    for line in text.split("\n"):
        terminal.line(line)
        terminal.row(("a", "b", line), (2, 2))
        print(line, file=covered)
    print(text, file=covered)
    for found in (stream.getvalue(), behind.getvalue()):
        assert secret not in found.replace("\n", "").replace(" ", "")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["proved", "fleet"])
def test_no_planted_secret_reaches_journal_report_or_junit(name: str, tmp_path: Path) -> None:
    """Each secret stands in all fields of one journal, as an old one may have it."""
    for number, (text, secret) in enumerate(PLANTED.values()):
        rows = records(name)
        journal = Journal(tmp_path / f"runs-{number}", "20260101t000000-abcd")
        for place, row in enumerate(rows):
            changed = row
            for path in places(row):
                if path[-1] not in ("kind", "workspace", "run", "time"):
                    changed = replaced(changed, path, text)  # type: ignore[assignment]
            rows[place] = changed
            fields = {k: v for k, v in changed.items() if k not in ("run", "seq", "time")}
            kind, workspace = str(fields.pop("kind")), str(fields.pop("workspace"))
            journal.append(taken(KINDS[kind], fields), workspace=workspace)
        assert secret not in journal.path.read_text()
        assert secret not in json.dumps([line.fields() for line in journal.lines])
        assert len(read(journal.path)) == len(rows)
        if number % 8 == 0:  # the reports go through the same function
            assert secret not in forms(report_of([*rows], tmp_path / "old"))


def test_a_key_in_a_list_of_lines_is_hidden_to_its_end(tmp_path: Path) -> None:
    text, _ = PLANTED["OpenSSH key"]
    lines = ["before", *(f"+{line}" for line in text.split("\n")), "after"]
    found = redact.record({"diff": lines})["diff"]
    assert (found[0], found[-1]) == ("before", "after")
    assert not [line for line in found if L40 in line or L36 in line]


def test_what_this_project_writes_and_says_itself_is_shown() -> None:
    """A diff that hides ``only basic indexing=true`` shows less than the bytes."""
    for row in ALL:
        value = row.value if isinstance(row.value, dict) else {}
        entries = [f"+{k}={v}" for group in value.get("entries", {}).values()
                   for k, v in group.items()]  # fmt: skip
        for text in (row.title, row.says, row.reason, *entries):
            assert redact.secrets(text) == text
    for prose in ("basic authentication", "token authentication: no", "digest of-the-whole-file"):
        assert redact.secrets(prose) == prose


@given(st.text())
@settings(deadline=None)
def test_redaction_is_done_once(text: str) -> None:
    once = redact.secrets(text)
    assert redact.secrets(once) == once


@pytest.mark.slow
@pytest.mark.parametrize(
    "filler",
    [
        *("eyJ-", "a:", "://", "://a:", "password", "token ", "-----BEGIN ", "=", " ", "\n", '"'),
        *("-u ", "login a ", "?sig", "access-tokens ", "cookie=", "$6$a", "A", "AIza", "sk-", "\\"),
        *(
            "bearer ",
            "passwordpassword=",
            "a.",
            "https://",
            "_key",
            "export a",
            "1//",
            "eyJa.",
            "'",
        ),
    ],
)
def test_no_text_takes_more_than_a_moment(filler: str) -> None:
    text = (filler * redact.EXAMINED)[: redact.EXAMINED]
    began = time.process_time()
    redact.secrets(text)
    assert time.process_time() - began < 4


@pytest.mark.parametrize(
    ("text", "words", "shown"),
    [
        (r"\b(?:curl|wget)\s", ["curl", "wget"], True),
        (r"\b(?:curl|wget)\s", ["curl"], False),
        (r"\b(?:curl|wget)?\s", ["curl", "wget"], False),
        (r"(?:ab)*c", ["abc"], False),
        (r"(?:ab)+c", ["ab"], True),
        (r"(?:ab)+c", ["bc"], False),  # it is, and this does not show it
        (r"a{0,1}bc", ["bc"], True),
        (r"a[-_]b", ["a-b", "a_b"], True),
        (r"a[-_.,]b", ["a-b", "a_b", "a.b", "a,b"], False),  # likewise
        (r"a(?=b)c(?!d)", ["ac"], True),
        (r"a(?=b)", ["ab"], False),
        (r"a.b", ["a", "x"], True),
        (r"a[^b]", ["ab"], False),
        (r"(?i:ab)", ["ab"], False),
        (r"(?i)ab", ["ab"], False),
        (r"(a)\1", ["aa"], False),
    ],
)
def test_what_is_shown_of_each_match_of_an_expression(
    text: str, words: list[str], shown: bool
) -> None:
    assert each_match_has(re.compile(text), words) is shown
    if "(?i" not in text:
        assert each_match_has(re.compile(text, re.I), words, folds=True) is shown


NEEDY = [form for form in (*redact._MATERIAL, *redact._PROSE) if form.needs]


@pytest.mark.slow
@pytest.mark.parametrize("form", NEEDY, ids=lambda form: str(form.needs[0]))
def test_what_lets_an_expression_be_left_out_is_in_all_that_it_matches(form: redact._Form) -> None:
    """The form of the expression shows it for most; for the others, texts that it matches do."""
    if each_match_has(form.pattern, form.needs, folds=form.folds):
        return

    # One that ignores case is tried on every text that is not ASCII.
    alphabet = st.characters(codec="ascii") if form.folds else None

    @settings(max_examples=30, deadline=None)
    @given(st.from_regex(form.pattern, alphabet=alphabet))
    def matched(text: str) -> None:
        assert form.pattern.search(text)
        seen = text.lower() if form.folds else text
        assert any(one in seen for one in form.needs)

    matched()


def test_an_expression_is_compiled_for_the_first_text_that_it_may_be_in() -> None:
    form = redact._form(r"\b(?:curl|wget)\s+-p(\S+)", 0)
    assert form.hide("nothing of that kind") == "nothing of that kind"
    assert "pattern" not in vars(form)
    assert form.hide("wget -psecret") == f"wget -p{redact._MARK}"
    for other in (r"\bcurls?\s(x)", r"\bcurl|wget\s(x)", r"\b(?:curl|wget)?\s(x)", r"\bcurl*\s"):
        assert redact._form(other, 0).needs == (), other
    assert len(NEEDY) >= 25
