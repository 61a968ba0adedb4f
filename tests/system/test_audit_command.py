"""`seawall audit` as people run it: targets, outputs, fixing, waivers, exit statuses."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from seawall.cli.exit_codes import AuditExitCode

pytestmark = pytest.mark.system

REPOSITORY = Path(__file__).resolve().parents[2]
GUIDE = REPOSITORY / "docs" / "guides" / "audit-checks.md"

MADE = """
from seawall.audit.check import Check
from seawall.audit.target import TargetKind
from seawall.model.finding import *
from pathlib import Path

def judge(target, answers):
    {body}

CHECK = Check("firmware.test.{name}", "A title", Item.DEFAULTS, frozenset({{TargetKind.FIRMWARE}}),
    Severity.{severity}, Risk.READ, "Why.", References(), lambda target: (), judge)
"""


def audit(
    *arguments: str | Path,
    status: AuditExitCode = AuditExitCode.CLEAN,
    cwd: Path | None = None,
    **settings: Any,
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "seawall.cli.main", "audit", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=cwd,
        **settings,
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def report(*arguments: str | Path, **options: Any) -> dict[str, Any]:
    return dict(json.loads(audit(*arguments, "--json", **options).stdout))


@pytest.fixture
def firmware(tmp_path: Path) -> Path:
    folder = tmp_path / "firmware"
    folder.mkdir()
    (folder / "main.py").write_text("import machine\n")
    return folder


def check_file(folder: Path, name: str, body: str, severity: str = "MEDIUM") -> Path:
    folder.mkdir(exist_ok=True)
    text = MADE.format(name=name, body=body, severity=severity)
    (folder / f"{name.replace('-', '_')}.py").write_text(text)
    return folder


def of(result: dict[str, Any], check: str) -> list[dict[str, Any]]:
    return [each for each in result["results"] if each["check"] == check]


# A check of one's own


def test_the_check_of_the_guide_runs_and_its_fix_works(tmp_path: Path, firmware: Path) -> None:
    example = next(iter(re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)))
    checks = tmp_path / "checks"
    checks.mkdir()
    (checks / "support_end.py").write_text(example)

    listed = json.loads(audit("--list-checks", "--json", "--checks", checks).stdout)
    (mine,) = [each for each in listed if each["id"] == "firmware.support.end"]
    assert (mine["item"], mine["kinds"], mine["risk"]) == (4, ["firmware"], "read")
    assert mine["references"]["etsi"] == ["5.3-13"]

    def now(status: AuditExitCode) -> dict[str, Any]:
        found = report(firmware, "--checks", checks, "--fail-on", "medium", status=status)
        (result,) = of(found, "firmware.support.end")
        return result

    failed = now(AuditExitCode.FINDINGS)
    assert (failed["status"], failed["evidence"]) == ("fail", "there is no SUPPORT.txt")
    subprocess.run(failed["fix"]["command"], shell=True, check=True)
    assert now(AuditExitCode.CLEAN)["status"] == "pass"
    (firmware / "SUPPORT.txt").write_text("2020-01-01\n")
    ended = now(AuditExitCode.FINDINGS)
    assert (ended["evidence"], ended["location"]["path"]) == (
        "support ended on 2020-01-01",
        "SUPPORT.txt",
    )
    shown = audit(firmware, "--checks", checks, status=AuditExitCode.FINDINGS)
    assert "support ended on 2020-01-01" in shown.stdout
    assert "\x1b" not in shown.stdout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def broken(:\n", "line 1: SyntaxError"),
        ("\nimport nowhere_at_all\n", "line 2: ModuleNotFoundError"),
        ("x = 1\n", "has no CHECK"),
        ("import sys\nsys.exit()\n", "line 2: SystemExit"),
        (MADE.format(name="Bad Name", body="yield", severity="LOW"), "kebab-case"),
    ],
)
def test_a_file_that_is_no_check_is_named(
    tmp_path: Path, firmware: Path, text: str, words: str
) -> None:
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "wrong.py").write_text(text)
    done = audit(firmware, "--checks", tmp_path / "checks", status=AuditExitCode.USAGE)
    assert words in done.stderr
    assert "wrong.py" in done.stderr


def test_two_checks_of_one_id_are_refused(tmp_path: Path, firmware: Path) -> None:
    checks = check_file(tmp_path / "checks", "twin", "yield Finding(Status.PASS, 'x')")
    shutil.copy(checks / "twin.py", checks / "other.py")
    done = audit(firmware, "--checks", checks, status=AuditExitCode.USAGE)
    assert "firmware.test.twin" in done.stderr


# Exit statuses


def test_exit_statuses(tmp_path: Path, firmware: Path) -> None:
    (firmware / "main.py").unlink()
    checks = check_file(tmp_path / "checks", "fails", "yield Finding(Status.FAIL, 'bad')")
    options = (firmware, "--checks", checks)
    audit(*options, status=AuditExitCode.FINDINGS)
    audit(*options, "--fail-on", "critical", status=AuditExitCode.CLEAN)
    check_file(checks, "asks", "yield Finding(Status.UNKNOWN, 'who knows')")
    audit(*options, "--fail-on", "critical", "--strict", status=AuditExitCode.INCOMPLETE)
    audit(*options, "--strict", status=AuditExitCode.FINDINGS)
    check_file(checks, "raises", "raise ValueError('inside')")
    done = audit(*options, status=AuditExitCode.INTERNAL)
    assert "internal error" in done.stderr
    assert "ValueError: inside" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "No such file"),
        (["gopher://x"], "no scheme"),
        (["mqtt://me:hunter2@host"], "--password-file"),
        (["host://h", "--expect-ports", "0"], "no port"),
        (["tls://h", "--pin", "12"], "64 hex digits"),
        (["tls://h", "--yes"], "--yes goes with --fix"),
        (["tls://h", "--fix"], "--yes"),
        (["tls://h", "--json", "--sarif"], "both print"),
        (["mqtt://h", "--password-fd", "0"], "--username"),
        (["https://h", "--token", "hunter2"], "the file with the token"),
        (["tls://h", "--key", __file__], "--cert"),
        (["tls://h", "--diff", __file__], "is not JSON"),
        (["--state", "/nowhere/at/all"], "no installation"),
        (["host://h", "--ca", __file__], "--ca is of no use"),
        (["mqtt://h", "--expect-ports", "22"], "it is for host://"),
    ],
)
def test_wrong_use_is_two_and_says_what(arguments: list[str], words: str) -> None:
    done = audit(*arguments, status=AuditExitCode.USAGE, stdin=subprocess.DEVNULL)
    assert words in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (["--username", "me"], "username"),
        (["--password-file", "-"], "password_file"),
        (["--token", __file__], "token_file"),
        (["--ca", __file__], "ca"),
        (["--cert", __file__], "cert"),
        (["--pin", "a" * 64], "pin"),
        (["--name", "b.example"], "server_name"),
        (["--openapi", "https://h/openapi.json"], "openapi"),
        (["--expect-ports", ""], "expect_ports"),
        (["--try-defaults"], "try_defaults"),
        (["--nmap"], "use_nmap"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_no_target_of_the_command_line_takes_is_refused(
    tmp_path: Path, arguments: list[str], field: str
) -> None:
    config = tmp_path / "audit.toml"
    config.write_text('[[target]]\nat = "mqtt://127.0.0.1:1"\n')
    for place in (["--config", str(config)], ["--state", str(tmp_path)]):
        done = audit(*arguments, *place, status=AuditExitCode.USAGE, input="secret")
        assert arguments[0] in done.stderr
        assert f"write '{field}' below the target's [[target]] in audit.toml" in done.stderr


def test_read_only_holds_for_the_targets_of_a_configuration(tmp_path: Path) -> None:
    config = tmp_path / "audit.toml"
    config.write_text('[[target]]\nat = "mqtt://127.0.0.1:1"\nusername = "me"\n')
    evidence = {}
    for options in ([], ["--read-only"]):
        (result,) = of(report("--config", config, *options), "mqtt.acl.foreign-write")
        evidence[len(options)] = result["evidence"]
    assert evidence[1] == "not made: the audit is --read-only"
    assert "read-only" not in evidence[0]


def test_the_exit_statuses_are_those_of_the_documentation() -> None:
    page = (REPOSITORY / "docs" / "reference" / "exit-codes.md").read_text()
    listed = re.findall(
        r"^\| (\d) \| (\w+) \|", page.split("## Of `seawall audit`")[1], re.MULTILINE
    )
    assert listed == [(str(int(each)), each.name.lower()) for each in AuditExitCode]


# Targets that are not there


def test_a_port_where_nobody_listens_is_unknown_and_no_pass() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found = report(f"tls://127.0.0.1:{probe.getsockname()[1]}")
    assert found["grade"] is None
    assert {each["status"] for each in found["results"]} <= {"unknown", "not-applicable"}
    assert any("refused" in each["evidence"] for each in found["results"])


COUNTS = """
    from seawall.audit.check import Unobserved
    from seawall.audit.probes.files import list_folder
    from seawall.audit.check import Limits
    import threading
    raise Unobserved(list_folder(target.path, Limits(), threading.Event()).partial)
"""


def test_a_folder_of_very_many_files_ends_with_unknown(tmp_path: Path) -> None:
    folder = tmp_path / "many"
    for outer in range(100):
        (folder / str(outer)).mkdir(parents=True)
        for inner in range(300):
            (folder / str(outer) / f"{inner}.py").touch()
    checks = check_file(tmp_path / "checks", "counts", COUNTS.strip())
    # A pass would be 0, and an audit that does not end would be killed.
    found = report(folder, "--strict", "--checks", checks, status=AuditExitCode.INCOMPLETE)
    (result,) = of(found, "firmware.test.counts")
    assert (result["status"], result["evidence"]) == ("unknown", "more than 20,000 files")


# Secrets


def test_no_secret_comes_out_of_any_output(tmp_path: Path, firmware: Path) -> None:
    (tmp_path / "pw").write_text("hunter2-hunter2\n")
    (tmp_path / "token").write_text("tok-abcdefgh")
    checks = check_file(
        tmp_path / "checks",
        "tells",
        "yield Finding(Status.FAIL, f'{target.access.password} {target.access.token}',"
        " Fix(target.access.password, 'curl -u ' + target.access.password), key='x')",
    )
    options: list[str | Path] = [firmware, "--checks", checks, "--username", "me"]
    options += ["--password-file", tmp_path / "pw", "--token-file", tmp_path / "token"]
    failed = AuditExitCode.FINDINGS
    page = tmp_path / "page.html"
    said = [
        audit(*options, "--html", page, status=failed).stdout,
        audit(*options, "--json", status=failed).stdout,
        audit(*options, "--sarif", status=failed).stdout,
        page.read_text(),
    ]
    for text in said:
        assert "firmware.test.tells" in text
        assert "hunter2" not in text
        assert "tok-abc" not in text


def test_a_password_comes_through_a_descriptor(tmp_path: Path, firmware: Path) -> None:
    body = "yield Finding(Status.PASS, f'{len(target.access.password)} characters')"
    checks = check_file(tmp_path / "checks", "length", body)
    read, write = os.pipe()
    os.write(write, b"hunter2\n")
    os.close(write)
    options = ("--username", "me", "--password-fd", str(read), "--checks", checks)
    found = report(firmware, *options, "--fail-on", "critical", pass_fds=(read,))
    os.close(read)
    assert of(found, "firmware.test.length")[0]["evidence"] == "7 characters"


# Fixing

FIXES = """
    path = target.path / "settings.ini"
    text = path.read_bytes()
    if b"open" in text:
        change = ChangeText(str(path), text, text.replace(b"open", b"shut"))
        yield Finding(Status.FAIL, "open", Fix("Shut it.", changes=(change,)))
    elif path.stat().st_mode & 0o077:
        close = ChangeMode(str(path), 0o600)
        yield Finding(Status.FAIL, "mode", Fix("Close it.", changes=(close,)))
    else:
        yield Finding(Status.PASS, "shut")
"""


@pytest.fixture
def fixable(tmp_path: Path, firmware: Path) -> list[str | Path]:
    (firmware / "settings.ini").write_text("[door]\nstate = open\nremote_password = hunter2\n")
    (firmware / "settings.ini").chmod(0o644)
    return [firmware, "--checks", check_file(tmp_path / "checks", "door", FIXES.strip())]


def test_fix_shows_the_diff_applies_it_and_audits_again(
    fixable: list[str | Path], firmware: Path
) -> None:
    path = firmware / "settings.ini"
    shown = audit(*fixable, status=AuditExitCode.FINDINGS).stdout
    shown += audit(*fixable, "--json", status=AuditExitCode.FINDINGS).stdout
    shown += audit(*fixable, "--sarif", status=AuditExitCode.FINDINGS).stdout
    done = audit(*fixable, "--fix", "--yes", "--json", "--fail-on", "critical")
    assert "-state = open" in done.stderr
    assert "+state = shut" in done.stderr
    assert f"chmod 600 {path}" in done.stderr
    assert of(json.loads(done.stdout), "firmware.test.door")[0]["status"] == "pass"
    assert path.read_text() == "[door]\nstate = shut\nremote_password = hunter2\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert "hunter2" not in shown + done.stderr + done.stdout


def test_fix_asks_on_a_terminal_and_no_changes_nothing(
    fixable: list[str | Path], firmware: Path
) -> None:
    before = (firmware / "settings.ini").read_text()
    words = on_terminal(*fixable, "--fix", answer=b"n\n")
    assert "Apply these changes?" in words
    assert "Nothing was changed" in words
    assert "\x1b[" in words  # colours and progress, on a terminal
    assert (firmware / "settings.ini").read_text() == before


def on_terminal(*arguments: str | Path, answer: bytes) -> str:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "seawall.cli.main", "audit", *map(str, arguments)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(slave)
    said = bytearray()

    def listen() -> None:
        asked = False
        while True:
            try:
                piece = os.read(master, 4096)
            except OSError:  # how Linux says that nobody writes any more
                return
            if not piece:
                return
            said.extend(piece)
            if not asked and b"Apply these changes?" in said:
                asked = True
                os.write(master, answer)

    thread = threading.Thread(target=listen)
    thread.start()
    process.wait(timeout=60)
    thread.join(timeout=10)
    os.close(master)
    return said.decode(errors="replace")


# audit.toml, reports


@pytest.fixture
def configured(tmp_path: Path, firmware: Path) -> Path:
    check_file(tmp_path / "checks", "fails", "yield Finding(Status.FAIL, 'bad', key='k')")
    path = tmp_path / "audit.toml"
    path.write_text('[[target]]\nat = "firmware"\nname = "board"\n')
    return path


def test_a_waiver_keeps_a_finding_from_counting_until_it_expires(
    tmp_path: Path, configured: Path
) -> None:
    options = ("--config", configured, "--checks", tmp_path / "checks")
    found = report(*options, status=AuditExitCode.FINDINGS)
    assert found["targets"][0]["name"] == "board"
    (result,) = of(found, "firmware.test.fails")
    targets = configured.read_text()

    def waive(expires: str) -> None:
        configured.write_text(
            f'{targets}[[waiver]]\ncheck = "firmware.test.fails"\nexpires = {expires}\n'
            f'fingerprint = "{result["fingerprint"]}"\nreason = "the board is in a museum"\n'
        )

    waive("2999-01-01")
    done = audit(*options, "--json")
    assert len(json.loads(done.stdout)["waived"]) == 1
    assert "in a museum" in audit(*options).stdout
    waive("2020-01-01")
    done = audit(*options, status=AuditExitCode.FINDINGS)
    assert "expired on 2020-01-01" in done.stderr


def test_a_wrong_audit_toml_is_told_with_its_line(configured: Path) -> None:
    configured.write_text('[[target]]\nat = "firmware"\ncolour = "blue"\n')
    done = audit("--config", configured, status=AuditExitCode.USAGE)
    assert f"{configured}, line 3: 'colour' in [[target]] is unknown" in done.stderr


def test_a_diff_tells_new_from_old(tmp_path: Path, configured: Path) -> None:
    options = ("--config", configured, "--checks", tmp_path / "checks")
    earlier = tmp_path / "earlier.json"
    earlier.write_text(audit(*options, "--json", status=AuditExitCode.FINDINGS).stdout)
    check_file(tmp_path / "checks", "more", "yield Finding(Status.FAIL, 'worse')")
    shown = audit(*options, "--diff", earlier, status=AuditExitCode.FINDINGS).stdout
    assert "1 new, 0 gone" in shown


def test_a_folder_is_one_target_however_it_is_written(tmp_path: Path, firmware: Path) -> None:
    check_file(tmp_path / "checks", "fails", "yield Finding(Status.FAIL, 'bad', key='k')")
    options = ("--checks", "checks", "--fail-on", "critical")
    first = audit("firmware", *options, "--json", cwd=tmp_path).stdout
    (tmp_path / "earlier.json").write_text(first)
    written = ("firmware/", "./firmware", "firmware/.", "firmware")
    again = report(*written, *options, "--diff", "earlier.json", cwd=tmp_path)
    assert [each["name"] for each in again["targets"]] == ["firmware"]
    assert again["changes"]["new"] == []
    (result,) = of(again, "firmware.test.fails")
    assert result["fingerprint"] in again["changes"]["unchanged"]
    config = tmp_path / "audit.toml"
    config.write_text(
        '[[target]]\nat = "./firmware/"\n[[waiver]]\ncheck = "firmware.test.fails"\n'
        'target = "firmware/"\nexpires = 2999-01-01\nreason = "it stands in a museum"\n'
    )
    waived = report("--config", config, "--checks", tmp_path / "checks")
    assert [each["target"] for each in waived["waived"]] == ["firmware"]


def test_sarif_takes_a_file_or_none_and_never_a_target(tmp_path: Path, firmware: Path) -> None:
    log = tmp_path / "out.sarif"
    audit("--fail-on", "critical", firmware, "--sarif", log)
    audit("--fail-on", "critical", firmware, "--sarif", log)
    assert json.loads(log.read_text())["version"] == "2.1.0"
    printed = audit("--fail-on", "critical", "--sarif", firmware).stdout
    assert json.loads(printed)["version"] == "2.1.0"
    inventory = tmp_path / "devices.json"
    inventory.write_text('[{"id": "a", "firmware": "1"}]')
    done = audit("--sarif", inventory, firmware, status=AuditExitCode.USAGE)
    assert "holds no SARIF" in done.stderr
    assert inventory.read_text().startswith('[{"id"')


def test_profiles_map_to_their_standard(firmware: Path) -> None:
    for profile in ("owasp-iot-2018", "etsi-303645", "nist-8259a"):
        found = report(firmware, "--profile", profile, "--fail-on", "critical")
        assert profile in json.dumps(found["profile"])


# Leaving early


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


def test_ctrl_c_ends_it_at_once(silent_port: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "seawall.cli.main", "audit", f"http://127.0.0.1:{silent_port}"],
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for_client(silent_port)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.strip() == "interrupted"


def wait_for_client(port: int) -> None:
    """Wait until somebody else has connected to the port."""
    mine = f"127.0.0.1:{port}"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        live = [c for c in psutil.net_connections("tcp4") if c.raddr and c.status == "ESTABLISHED"]
        if any(f"{c.raddr.ip}:{c.raddr.port}" == mine for c in live):
            return
        time.sleep(0.02)
    pytest.fail("nobody came")


def test_a_reader_may_leave(firmware: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "seawall.cli.main", "audit", str(firmware), "--sarif"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read()
    assert process.wait(timeout=30) == 0
    assert said == ""
    process.stderr.close()


@pytest.mark.parametrize("option", ["--html", "--sarif"])
def test_a_report_into_a_pipe_waits_for_nobody(tmp_path: Path, firmware: Path, option: str) -> None:
    pipe = tmp_path / "report.sarif"
    os.mkfifo(pipe)
    done = audit(firmware, option, pipe, status=AuditExitCode.USAGE)
    assert f"{option} {pipe} is there, and is no regular file" in done.stderr


def test_a_report_goes_to_streams_that_are_open(firmware: Path) -> None:
    options = (firmware, "--fail-on", "critical")
    assert "<!doctype html>" in audit(*options, "--html", "/dev/stdout").stdout.lower()
    audit(*options, "--html", "/dev/null")


def test_a_file_that_cannot_be_written_is_told(firmware: Path) -> None:
    done = audit(firmware, "--html", "/nowhere/page.html", status=AuditExitCode.USAGE)
    assert "/nowhere/page.html: No such file or directory" in done.stderr
