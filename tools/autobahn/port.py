"""Makes Python 3 of the Autobahn|Testsuite, in the environment of the Python that runs this.

To the suite all texts are bytes. Here they are texts whose characters are those bytes, as Latin-1 has it.
"""

import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

CHANGES = {
    "__init__.py": None,
    "case/case9_9_1.py": {
        "from zope.interface import implements\n": "",
        "   implements(interfaces.IPushProducer)\n": "",
    },
    "case/case6_x_x.py": {"v.validate(vss[:i])": 'v.validate(vss[:i].encode("latin-1"))'},
    "case/case10_1_1.py": {"len(self.payload) / self.p": "len(self.payload) // self.p"},
}
EVERYWHERE = {
    "coding=utf-8": "coding=latin-1",
    "(object, Case, )": "(Case, )",
    "import binascii": "from autobahntestsuite import hexadecimal as binascii",
    "import os, json, binascii,": "from autobahntestsuite import hexadecimal as binascii\nimport os, json,",
}
HEXADECIMAL = """
from binascii import hexlify, unhexlify

def b2a_hex(text):
    return hexlify(text.encode("latin-1") if isinstance(text, str) else text).decode()

def a2b_hex(text):
    return unhexlify(text).decode("latin-1")
"""


def port(folder: Path) -> None:
    (archive,) = folder.glob("autobahntestsuite-*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    (source,) = folder.glob("autobahntestsuite-*/autobahntestsuite")
    for path in source.rglob("*.py"):
        _change(path, EVERYWHERE)
    for name, changes in CHANGES.items():
        if changes is None:
            (source / name).write_text("version = 'ported'\n")
        else:
            _change(source / name, changes)
    (source / "hexadecimal.py").write_text(HEXADECIMAL)
    needed = [source / name for name in ("case", "caseset.py", "fuzzing.py", "report.py", "spectemplate.py")]
    subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "lib2to3", "--no-diffs", "-n", "-w", *needed],
        check=True,
        capture_output=True,
    )
    source.rename(Path(sysconfig.get_path("purelib"), "autobahntestsuite"))


def _change(path: Path, changes: dict[str, str]) -> None:
    # Read and written byte by byte: these are what the characters of the texts in there shall be.
    text = path.read_text(encoding="latin-1")
    for old, new in changes.items():
        text = text.replace(old, new)
    path.write_text(text, encoding="latin-1")


if __name__ == "__main__":
    port(Path(sys.argv[1]))
