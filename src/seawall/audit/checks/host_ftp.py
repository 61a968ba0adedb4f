"""FTP: files and passwords in plain text."""

from typing import Final

from seawall.audit.check import Check
from seawall.audit.host_subject import service_check
from seawall.model.finding import Severity

CHECK: Final[Check] = service_check(
    name="ftp",
    title="FTP answers",
    services=frozenset({"ftp"}),
    severity=Severity.HIGH,
    why=(
        "FTP sends passwords and files in plain text, and nothing tells whether a file was changed "
        "on its way. Many an FTP server of a device lets anybody in, to its whole flash."
    ),
    fix="Stop the FTP server; copy files by SFTP, or as signed updates.",
    cwe=(319,),
)
