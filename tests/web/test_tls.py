"""TLS of a running modelmeter: certificates that are renewed, expire or are of somebody else."""

import http.client
import ipaddress
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from exporter.__main__ import main
from tests.programs import program
from tests.web.certificates import Authority, Pair
from tests.web.support import HOST, Process, until

HEALTHY = b"modelmeter is healthy.\n"


@pytest.fixture(scope="module")
def ours() -> Authority:
    return Authority("ours")


@pytest.fixture(scope="module")
def theirs() -> Authority:
    return Authority("theirs")


class Encrypted:
    """A modelmeter with TLS, and the files that it has it from."""

    def __init__(self, folder: Path, start, ours: Authority, pair: Pair, **tls) -> None:
        self.folder = folder
        self.ours = ours
        pair.write(folder, "server")
        (folder / "ca.crt").write_bytes(ours.cert)
        self.web = folder / "web.yml"
        self.tls = {"cert_file": "server.crt", "key_file": "server.key", **tls}
        self.configure()
        shown = ours.issue("starts it", x509.DNSName("allowed.example"))
        context = ours.context(folder, shown)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # some begin with an expired one
        self.process: Process = start(None, "--web.config.file", str(self.web), context=context)

    def configure(self, **more) -> None:
        self.web.write_text(yaml.safe_dump({"tls_server_config": self.tls, **more}))

    def renew(self, pair: Pair) -> None:
        pair.write(self.folder, "server")

    def ask(self, context: ssl.SSLContext) -> bytes:
        self.process.context = context
        return self.process.get("/-/healthy").body

    def serial(self) -> int:
        """Of the certificate that is shown to who connects now."""
        text = ssl.get_server_certificate((HOST, self.process.port), timeout=10)
        return x509.load_pem_x509_certificate(text.encode()).serial_number

    def connected(
        self, context: ssl.SSLContext, session: ssl.SSLSession | None = None
    ) -> tuple[ssl.SSLSession | None, bool | None]:
        """The session of a connection that asked for something, and whether it was an old one."""
        plain = socket.create_connection((HOST, self.process.port), timeout=10)
        with context.wrap_socket(plain, server_hostname=HOST, session=session) as made:
            made.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert made.recv(4096).startswith(b"HTTP/1.1 200")
            return made.session, made.session_reused

    def refuses(self, context: ssl.SSLContext) -> bool:
        try:
            self.ask(context)
        except (OSError, http.client.HTTPException):
            return True
        return False


@pytest.fixture
def encrypted(tmp_path, process, ours):
    def start(pair: Pair | None = None, **tls) -> Encrypted:
        return Encrypted(tmp_path, process, ours, pair or ours.issue("server"), **tls)

    return start


def test_it_is_verified_by_who_trusts_its_authority_only(encrypted, ours, theirs) -> None:
    served = encrypted()
    assert served.ask(ours.context()) == HEALTHY
    with pytest.raises(ssl.SSLCertVerificationError):
        served.ask(theirs.context())
    assert b"modelmeter" not in raw(served.process.port)
    assert "tls=True" in served.process.log()


def raw(port: int) -> bytes:
    """What comes back for HTTP without TLS."""
    with socket.create_connection((HOST, port), timeout=10) as plain:
        plain.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n")
        try:
            return b"".join(iter(lambda: plain.recv(4096), b""))
        except ConnectionResetError:
            return b""


def test_events_and_metrics_pass(encrypted, ours) -> None:
    served = encrypted().process
    served.context = ours.context()
    events = [{"model": "m", "score": 0.5, "label": 1}] * 1000
    assert served.post(events).json()["accepted"] == 1000
    assert served.value("model_predictions_total", model="m", version="none") == 1000


def test_a_renewed_certificate_is_shown_from_the_next_connection_on(encrypted, ours) -> None:
    served = encrypted(first := ours.issue("server"))
    assert served.serial() == first.serial
    open_since_before = served.process.connection()
    open_since_before.request("GET", "/-/healthy")
    assert open_since_before.getresponse().read() == HEALTHY
    for _ in range(3):
        served.renew(next_one := ours.issue("server"))
        assert served.serial() == next_one.serial
    open_since_before.request("GET", "/-/healthy")
    assert open_since_before.getresponse().read() == HEALTHY
    open_since_before.close()


def test_an_expired_certificate_is_replaced_without_a_restart(encrypted, ours) -> None:
    served = encrypted(ours.issue("server", days=-1))
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        served.ask(ours.context())
    served.renew(ours.issue("server"))
    assert served.ask(ours.context()) == HEALTHY


def test_half_a_renewal_leaves_the_old_certificate_and_is_logged_once(encrypted, ours) -> None:
    served = encrypted(first := ours.issue("server"))
    second = ours.issue("server")
    cert = served.folder / "server.crt"
    cert.write_bytes(second.cert[:200])
    for _ in range(3):
        assert served.serial() == first.serial
    cert.write_bytes(second.cert)  # the key is still the first one's
    for _ in range(3):
        assert served.serial() == first.serial
    cert.unlink()
    assert served.serial() == first.serial
    log = served.process.log()
    lines = [line for line in log.splitlines() if "web configuration not read again" in line]
    assert [len([one for one in lines if said in one]) for said in (
        "tls_server_config.cert_file: ", "is not the key of the certificate", "no such file"
    )] == [2, 1, 1]  # fmt: skip
    assert str(served.web) + ":2: tls_server_config.cert_file" in log
    served.renew(second)
    assert served.serial() == second.serial
    assert "web configuration read again" in served.process.log()


def test_a_bad_web_configuration_leaves_the_old_one_and_certificates_are_renewed(
    encrypted, ours
) -> None:
    served = encrypted(first := ours.issue("server"))
    served.web.write_text("tls_server_confg: {}")
    assert served.serial() == first.serial
    assert "did you mean tls_server_config?" in served.process.log()
    served.renew(second := ours.issue("server"))
    assert served.serial() == second.serial
    served.web.write_text("")
    assert served.serial() == second.serial
    assert "comes or goes with a restart only" in served.process.log()


@pytest.fixture
def verifying(encrypted):
    def start(**tls) -> Encrypted:
        return encrypted(
            client_auth_type="RequireAndVerifyClientCert", client_ca_file="ca.crt", **tls
        )

    return start


def test_a_client_certificate_that_is_required(verifying, ours, theirs, tmp_path) -> None:
    served = verifying()
    assert served.ask(ours.context(tmp_path, ours.issue("client"))) == HEALTHY
    assert served.refuses(ours.context())
    assert served.refuses(ours.context(tmp_path, theirs.issue("client")))
    assert served.refuses(ours.context(tmp_path, ours.issue("client", days=-1)))


def test_an_authority_is_trusted_without_the_one_above_it(verifying, ours, tmp_path) -> None:
    department = Authority("department", under=ours)
    served = verifying()
    (tmp_path / "ca.crt").write_bytes(department.cert)
    assert served.ask(ours.context(tmp_path, department.issue("client"))) == HEALTHY
    assert served.refuses(ours.context(tmp_path, ours.issue("client")))


def test_who_shows_a_certificate_shows_it_each_time(verifying, ours, tmp_path) -> None:
    served = verifying()
    context = ours.context(tmp_path, ours.issue("client"))
    for context.maximum_version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        session, _ = served.connected(context)
        assert session is not None
        assert served.connected(context, session)[1] is False


def test_another_authority_of_clients_while_it_runs(verifying, ours, theirs, tmp_path) -> None:
    served = verifying()
    of_ours = ours.context(tmp_path, ours.issue("client"))
    of_theirs = ours.context(tmp_path, theirs.issue("client"))
    assert served.ask(of_ours) == HEALTHY
    (tmp_path / "ca.crt").write_bytes(theirs.cert)
    assert served.ask(of_theirs) == HEALTHY
    assert served.refuses(of_ours)
    (tmp_path / "ca.crt").write_bytes(theirs.cert[:100])
    assert served.ask(of_theirs) == HEALTHY
    assert served.refuses(of_ours)
    assert "client_ca_file: " in served.process.log()


def test_a_certificate_that_is_verified_if_given(encrypted, ours, theirs, tmp_path) -> None:
    served = encrypted(client_auth_type="VerifyClientCertIfGiven", client_ca_file="ca.crt")
    assert served.ask(ours.context()) == HEALTHY
    assert served.ask(ours.context(tmp_path, ours.issue("client"))) == HEALTHY
    assert served.refuses(ours.context(tmp_path, theirs.issue("client")))


def test_a_certificate_that_is_only_requested_is_not_looked_at(encrypted, ours, tmp_path) -> None:
    served = encrypted(client_auth_type="RequestClientCert")
    assert served.ask(ours.context()) == HEALTHY
    assert "RequestClientCert proves nothing" in served.process.log()


def test_an_authority_in_the_file_itself(encrypted, ours, theirs, tmp_path) -> None:
    pair = ours.issue("server")
    served = encrypted(
        cert_file=None, cert=pair.cert.decode(), key_file=None, key=pair.key.decode(),
        client_auth_type="RequireAndVerifyClientCert", client_ca=ours.cert.decode(),
    )  # fmt: skip
    assert served.serial() == pair.serial
    assert served.refuses(ours.context(tmp_path, theirs.issue("client")))
    assert "BEGIN" not in served.process.log()


def test_names_of_clients(verifying, ours, tmp_path) -> None:
    names = (
        x509.DNSName("allowed.example"),
        x509.RFC822Name("ops@example.org"),
        x509.UniformResourceIdentifier("spiffe://example/prometheus"),
        x509.IPAddress(ipaddress.ip_address("2001:db8::7")),
    )
    served = verifying(client_allowed_sans=[str(name.value) for name in names])
    for name in names:
        assert served.ask(ours.context(tmp_path, ours.issue("client", name))) == HEALTHY
    for other in (x509.DNSName("not.allowed.example"), x509.DNSName("*.example")):
        assert served.refuses(ours.context(tmp_path, ours.issue("allowed.example", other)))
    assert "none of client_allowed_sans" in served.process.log()


def handshake(port: int, *flags: str) -> str:
    """What openssl says of a connection."""
    done = subprocess.run(
        [program("openssl"), "s_client", "-connect", f"{HOST}:{port}", *flags],
        input="", capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    return done.stdout


def version(port: int, *flags: str) -> str:
    found = [line for line in handshake(port, *flags).splitlines() if line.startswith("New, ")]
    return found[0] if found else ""


OLD = ("-cipher", "DEFAULT@SECLEVEL=0")


def test_versions(encrypted) -> None:
    served = encrypted()
    port = served.process.port
    assert "(NONE)" in version(port, "-tls1_1", *OLD)
    assert "TLSv1.2" in version(port, "-tls1_2")
    assert "TLSv1.3" in version(port)
    served.tls["min_version"] = "TLS13"
    served.configure()
    assert "(NONE)" in version(port, "-tls1_2")
    served.tls |= {"min_version": "TLS12", "max_version": "TLS12"}
    served.configure()
    assert "TLSv1.2" in version(port)
    served.tls["min_version"] = "TLS11"
    served.configure()
    assert "TLSv1.0" in version(port, "-tls1_1", *OLD)  # openssl names the suite's first version
    assert "(NONE)" in version(port, "-tls1", *OLD)


def test_suites_and_their_order(encrypted) -> None:
    weak, strong = "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"
    served = encrypted(
        cipher_suites=[
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
        ]
    )  # fmt: skip
    port = served.process.port
    both = ("-tls1_2", "-cipher", f"{weak}:{strong}")
    assert strong in version(port, *both)
    assert "(NONE)" in version(port, "-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305")
    served.tls["prefer_server_cipher_suites"] = False
    served.configure()
    assert weak in version(port, *both)
    served.tls["cipher_suites"] = ["TLS_AES_128_GCM_SHA256"]
    served.configure()
    assert "(NONE)" in version(port, "-tls1_2")
    assert "TLSv1.3" in version(port)


def test_curves(encrypted) -> None:
    served = encrypted(curve_preferences=["CurveP384"])
    port = served.process.port
    assert "secp384r1" in handshake(port, "-curves", "X25519:P-384")
    assert "(NONE)" in version(port, "-curves", "X25519")


def test_http_2_is_not_spoken(encrypted) -> None:
    served = encrypted()
    assert "ALPN protocol: http/1.1" in handshake(served.process.port, "-alpn", "h2,http/1.1")


FILES = {"cert_file": "a.crt", "key_file": "a.key"}
CA = {"client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": "a.key"}
CERT, KEY = "web.yml:2: tls_server_config.cert_file: ", "web.yml:3: tls_server_config.key_file: "


@pytest.fixture
def files(tmp_path, ours):
    first, second = ours.issue("a"), ours.issue("b")
    first.write(tmp_path, "a")
    second.write(tmp_path, "b")
    (tmp_path / "locked.key").write_bytes(first.locked_key)

    def write(tls) -> str:
        (tmp_path / "web.yml").write_text(yaml.safe_dump({"tls_server_config": tls}))
        return f"--web.config.file={tmp_path}/web.yml"

    return write


@pytest.mark.parametrize(
    ("tls", "at", "said"),
    [
        ({"cert_file": "none.crt", "key_file": "a.key"}, CERT, "no such file"),
        ({"cert_file": "a.crt", "key_file": "none.key"}, KEY, "no such file"),
        ({"cert_file": "a.key", "key_file": "a.key"}, CERT, "holds no certificate in PEM"),
        ({"cert_file": "a.crt", "key_file": "a.crt"}, KEY, "holds no usable private key in PEM"),
        ({"cert_file": "a.crt", "key_file": "b.key"}, KEY, "is not the key of the certificate"),
        ({"cert_file": "a.crt", "key_file": "locked.key"}, KEY, "is encrypted"),
        (FILES | CA, "tls_server_config.client_ca_file: ", "holds no certificate"),
        (FILES | {"client_auth_type": "RequireAnyClientCert"}, "client_auth_type", "not supported"),
        (FILES | {"curve_preferences": ["X25519", "CurveP256"]}, "curve_pref", "Python 3.15"),
        (FILES | {"key_fil": "x"}, ":3: tls_server_config.key_fil", "mean key_file?"),
    ],
)
def test_what_cannot_serve_is_named(files, capsys, tls, at, said) -> None:
    if len(tls.get("curve_preferences", ())) > 1 and hasattr(ssl.SSLContext, "set_groups"):
        pytest.skip("this Python can have several")
    assert main(["check-config", files(tls)]) == 1
    told = capsys.readouterr().err
    assert at in told
    assert said in told


@pytest.mark.parametrize("tls", [{"cert_file": "a.crt", "key_file": "b.key"}, {"key_fil": "x"}])
def test_it_does_not_start(files, capsys, tls) -> None:
    flag = files(tls)
    command = [sys.executable, "-m", "exporter", "serve", "--web.listen-address=127.0.0.1:0"]
    done = subprocess.run(
        [*command, "--no-persist", flag], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert main(["check-config", flag]) == 1
    for problem in capsys.readouterr().err.splitlines():
        assert problem in done.stderr
    assert "Traceback" not in done.stderr


def test_check_config_of_what_is_right(files, tmp_path, capsys) -> None:
    assert main(["check-config", files(FILES)]) == 0
    assert capsys.readouterr().out.endswith("web.yml: OK (TLS; 0 users)\n")
    (tmp_path / "main.yml").write_text("max_models: 5")
    assert main(["check-config", str(tmp_path / "main.yml"), files(FILES | {"key": "x"})]) == 1
    assert "main.yml: OK" in capsys.readouterr().out
    assert main(["check-config"]) == 2


def test_sighup_leaves_it_all_in_order(encrypted, ours) -> None:
    served = encrypted()
    served.process.process.send_signal(signal.SIGHUP)
    until(lambda: "configuration reloaded" in served.process.log(), "the reload")
    assert served.ask(ours.context()) == HEALTHY
    assert served.process.stop() == 0
