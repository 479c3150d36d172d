"""What all journeys share: a server as a newcomer starts it, one as it stands on a network, the npm packages."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.journeys.server import KEY, Server, running

SCRIPTS = Path(__file__).parent / "javascript"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Plain HTTP, everybody welcome."""
    with running(tmp_path_factory.mktemp("plain")) as server:
        yield server


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """TLS, and nobody without the key."""
    folder = tmp_path_factory.mktemp("guarded")
    authority, certificate, key = folder / "ca.pem", folder / "cert.pem", folder / "key.pem"
    issuer = trustme.CA()
    issued = issuer.issue_cert("127.0.0.1", "localhost")
    issuer.cert_pem.write_to_path(authority)
    issued.private_key_pem.write_to_path(key)
    for part in issued.cert_chain_pems:
        part.write_to_path(certificate, append=True)
    flags = ("--tls-cert", str(certificate), "--tls-key", str(key))
    environment = {"REALTIME_ASR_API_KEYS": KEY}
    with running(folder, *flags, environment=environment, authority=authority) as server:
        yield server


@pytest.fixture(scope="session")
def javascript(pytestconfig: pytest.Config) -> Path:
    """A folder outside the sources with our scripts and the official npm packages, kept from run to run."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed: the journeys in JavaScript were NOT made")
    assert pytestconfig.cache
    folder = pytestconfig.cache.mkdir("javascript")
    shutil.copytree(SCRIPTS, folder, dirs_exist_ok=True)
    # A lock file would name the registry it was written with; the exact versions are in package.json.
    quiet = ("--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error")
    subprocess.run([npm, "install", *quiet], cwd=folder, check=True)
    return folder
