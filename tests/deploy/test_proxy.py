"""The TLS proxy, started for real in front of a small server; skipped loudly where nginx is not installed.

NGINX_BIN and NGINX_STREAM name the program and its stream module where they are not in the usual places.
"""

import datetime
import http.server
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

NGINX = os.environ.get("NGINX_BIN") or shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
STREAM = Path(os.environ.get("NGINX_STREAM", "/usr/lib/nginx/modules/ngx_stream_module.so"))
needs_nginx = pytest.mark.skipif(NGINX is None, reason="NOT TESTED: nginx is not here, the proxy was only read")


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str


class Proxy(NamedTuple):
    tls: int
    plain: int
    folder: Path
    log: Path


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def make_certificate(folder: Path) -> None:
    """A certificate of an hour, for localhost."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    (folder / "tls_certificate.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    plain = serialization.NoEncryption()
    (folder / "tls_key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        length = int(self.headers["Content-Length"] or 0)
        size = len(self.rfile.read(length))
        body = f"{self.command} {self.path} {size}\n{self.headers}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Strict-Transport-Security", "max-age=1")  # the service says it too: it must arrive once
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running.server_port
        running.shutdown()


def wait_for(port: int) -> None:
    for _ in range(100):
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on {port}")


@pytest.fixture(scope="module")
def nobody() -> Iterator[int]:
    """A port where nothing listens and, while it is held, nothing else can."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture(scope="module")
def proxy(deploy: Path, server: int, nobody: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """The container's configuration with only addresses and folders of this machine put in."""
    assert NGINX is not None
    folder = tmp_path_factory.mktemp("proxy")
    make_certificate(folder)
    for name in ("prescreen.conf", "server.conf", "wait.html"):
        shutil.copy(deploy / "nginx" / name, folder / name)
    tls, plain, health = free_port(), free_port(), free_port()
    text = (deploy / "nginx" / "nginx.conf").read_text()
    swaps = {
        "/tmp/": f"{folder}/",
        "default app:8080;": f"default 127.0.0.1:{server}; gone.example 127.0.0.1:{nobody};",
        "/etc/prescreen-proxy": f"{folder}",
        "listen 8443": f"listen 127.0.0.1:{tls}",
        "listen 8080": f"listen 127.0.0.1:{plain}",
        "127.0.0.1:8081": f"127.0.0.1:{health}",
        "/run/secrets/": f"{folder}/",
        "access_log /dev/stdout": f"access_log {folder}/access.log",
        "error_log /dev/stderr": f"error_log {folder}/error.log",
    }
    for old, new in swaps.items():
        assert old in text, old
        text = text.replace(old, new)
    worker = "user root;\n" if os.geteuid() == 0 else ""  # the folders of tests are closed to others
    (folder / "nginx.conf").write_text(worker + text)
    words = [NGINX, "-c", f"{folder}/nginx.conf", "-g", "daemon off;", "-e", f"{folder}/error.log"]
    subprocess.run([*words, "-t"], check=True, capture_output=True)
    running = subprocess.Popen(words)
    wait_for(tls)
    yield Proxy(tls, plain, folder, folder / "access.log")
    running.terminate()
    running.wait(10)


def trusting(version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if version is not None:
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = version
        context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def ask(port: int, request: str, *, tls: bool = True) -> Answer:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        sock = trusting().wrap_socket(raw) if tls else raw
        sock.sendall(request.encode())
        read = b""
        while chunk := sock.recv(65536):
            read += chunk
            head, gap, body = read.partition(b"\r\n\r\n")
            length = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
            if gap and (not length or len(body) >= int(length[0].split(b":")[1])):
                break
        if tls:
            sock.close()
    lines = head.decode().split("\r\n")
    pairs = [line.lower().split(": ", 1) for line in lines[1:]]
    assert len({name for name, _ in pairs}) == len(pairs), "a header that is said twice"
    headers = dict(pairs)
    return Answer(int(lines[0].split()[1]), headers, body.decode())


def get(path: str, extra: str = "") -> str:
    return f"GET {path} HTTP/1.1\r\nHost: clinic.example\r\n{extra}\r\n"


@needs_nginx
def test_plain_http_is_only_sent_to_tls(proxy: Proxy) -> None:
    answer = ask(proxy.plain, get("/queue"), tls=False)
    assert (answer.status, answer.headers["location"]) == (308, "https://clinic.example/queue")


@needs_nginx
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_tls_is_refused(proxy: Proxy) -> None:
    for version, accepted in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True)):
        with socket.create_connection(("127.0.0.1", proxy.tls), timeout=10) as raw:
            try:
                trusting(version).wrap_socket(raw).close()
                spoke = True
            except (ssl.SSLError, ConnectionError):
                spoke = False
        assert spoke is accepted, version


@needs_nginx
def test_an_answer_carries_hsts_and_not_the_proxys_version(proxy: Proxy) -> None:
    for path in ("/", "/live"):
        answer = ask(proxy.tls, get(path))
        assert answer.headers["strict-transport-security"] == "max-age=31536000", path
        assert answer.headers["server"] == "nginx"


@needs_nginx
def test_a_client_cannot_say_where_it_comes_from(proxy: Proxy) -> None:
    lies = (
        "X-Forwarded-For: 10.9.9.9\r\nX-Forwarded-Proto: http\r\nForwarded: for=10.9.9.9\r\nX-Real-IP: 10.9.9.9\r\n"
    )
    body = ask(proxy.tls, get("/", lies)).body
    assert "10.9.9.9" not in body
    assert "X-Forwarded-For: 127.0.0.1\n" in body and "X-Forwarded-Proto: https\n" in body


@needs_nginx
@pytest.mark.parametrize("path", ["/live", "/ready", "/metrics", "/metrics/", "//metrics", "/./live", "/%6cive"])
def test_health_and_numbers_are_for_the_inside(proxy: Proxy, path: str) -> None:
    assert ask(proxy.tls, get(path)).status == 404


@needs_nginx
def test_what_is_too_large_never_reaches_the_app(proxy: Proxy) -> None:
    fits = f"POST /answer HTTP/1.1\r\nHost: a\r\nContent-Length: {2**20}\r\n\r\n" + "x" * 2**20
    assert ask(proxy.tls, fits).body.startswith(f"POST /answer {2**20}\n")
    assert ask(proxy.tls, f"POST /answer HTTP/1.1\r\nHost: a\r\nContent-Length: {2**20 + 1}\r\n\r\n").status == 413
    assert ask(proxy.tls, get("/", f"X-Long: {'x' * 9000}\r\n")).status == 400
    assert ask(proxy.tls, get("/" + "x" * 9000)).status == 414


@needs_nginx
def test_nothing_a_patient_sends_is_written_down(proxy: Proxy) -> None:
    canary = "canary-7f3a"
    request = (
        f"POST /visit/{canary}?name={canary} HTTP/1.1\r\nHost: a\r\n"
        f"Referer: https://a/{canary}\r\nCookie: {canary}\r\n"
        f"User-Agent: {canary}\r\nContent-Length: 900000\r\n\r\n{canary}" + "x" * (900000 - len(canary))
    )
    assert ask(proxy.tls, request).status == 200
    assert ask(proxy.tls, get(f"/{canary}?{canary}", "Content-Length: bad\r\n")).status == 400
    time.sleep(0.2)
    written = [path for path in proxy.folder.rglob("*") if path.is_file()]
    assert [path.name for path in written if canary in path.read_text(errors="replace")] == []
    assert " POST /visit 200 " in proxy.log.read_text(), "the log line itself is there"


@needs_nginx
def test_without_the_service_a_patient_still_reads_what_to_do(proxy: Proxy) -> None:
    """The host gone.example leads to a port where nothing listens."""
    for path in ("/", "/visit/7"):
        answer = ask(proxy.tls, f"GET {path} HTTP/1.1\r\nHost: gone.example\r\n\r\n")
        assert answer.status == 503 and "call 911" in answer.body and 'dir="rtl"' in answer.body
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        assert "strict-transport-security" in answer.headers
    assert ask(proxy.tls, get("/wait.html")).status == 404, "the page is no address of its own"


@needs_nginx
def test_a_flood_is_slowed(proxy: Proxy) -> None:
    answers: list[int] = []

    def flood() -> None:
        answers.extend(ask(proxy.tls, get("/")).status for _ in range(50))

    threads = [threading.Thread(target=flood) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) == {200, 429} and answers.count(200) >= 100


@needs_nginx
def test_the_machines_configuration_fits_into_debians(deploy: Path, tmp_path: Path) -> None:
    """The http-level lines of Debian's own nginx.conf, which ours must not repeat."""
    assert NGINX is not None
    make_certificate(tmp_path)
    (tmp_path / "prescreen").mkdir()
    for name in ("prescreen.conf", "server.conf"):
        shutil.copy(deploy / "nginx" / name, tmp_path / "prescreen" / name)
    text = (deploy / "nginx" / "machine.conf").read_text()
    text = text.replace("/etc/prescreen/tls/", f"{tmp_path}/tls_").replace("/var/log/nginx/", f"{tmp_path}/")
    text = text.replace("listen 443", "listen 18443").replace("listen 80", "listen 18080")
    (tmp_path / "ours.conf").write_text(text)
    debian = (
        "sendfile on; tcp_nopush on; types_hash_max_size 2048; ssl_protocols TLSv1.2 TLSv1.3;"
        f"ssl_prefer_server_ciphers on; access_log {tmp_path}/a.log; gzip on;"
    )
    temporary = "".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("proxy", "fastcgi", "uwsgi", "scgi"))
    temporary += f"client_body_temp_path {tmp_path}/body;"
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid; error_log {tmp_path}/e.log; events {{}}"
        f"http {{ {debian} {temporary} include ours.conf; }}"
    )
    words = [NGINX, "-t", "-c", f"{tmp_path}/nginx.conf", "-e", f"{tmp_path}/e.log"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def gate(deploy: Path, tmp_path: Path) -> Iterator[Callable[[str], bytes]]:
    """The way out with one allowed name, and what a call under some name gets."""
    if NGINX is None or not STREAM.exists():
        pytest.skip("NOT TESTED: nginx's stream module is not here, the way out was only read")
    make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls_certificate.pem", tmp_path / "tls_key.pem")
    record_system = socket.create_server(("127.0.0.1", 0))

    def answer_calls() -> None:
        while True:
            try:
                connection, _ = record_system.accept()
                with context.wrap_socket(connection, server_side=True) as spoken:
                    spoken.sendall(b"record system")
            except ssl.SSLError:
                continue
            except OSError:
                return

    threading.Thread(target=answer_calls, daemon=True).start()
    port = free_port()
    text = (deploy / "nginx" / "outbound.conf").read_text()
    swaps = {
        "192.0.2.10:443": f"127.0.0.1:{record_system.getsockname()[1]}",
        "listen 443": f"listen 127.0.0.1:{port}",
        "listen 127.0.0.1:8443;": "",
        "/tmp/": f"{tmp_path}/",
        "/dev/stderr": f"{tmp_path}/error.log",
    }
    for old, new in swaps.items():
        assert old in text, old
        text = text.replace(old, new)
    (tmp_path / "outbound.conf").write_text(f"load_module {STREAM};\n{text}")
    running = subprocess.Popen(
        [NGINX, "-c", f"{tmp_path}/outbound.conf", "-g", "daemon off;", "-e", f"{tmp_path}/error.log"]
    )
    wait_for(port)

    def call(name: str) -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
            try:
                with trusting().wrap_socket(raw, server_hostname=name) as spoken:
                    return spoken.recv(100)
            except (ssl.SSLError, ConnectionError):
                return b""

    yield call
    running.terminate()
    running.wait(10)
    record_system.close()


def test_the_way_out_leads_to_the_named_servers_only(gate: Callable[[str], bytes]) -> None:
    assert gate("fhir.clinic.example") == b"record system"
    assert gate("elsewhere.example") == b""
    assert gate("fhir.clinic.example.elsewhere.example") == b""


def test_no_old_tls_is_offered(deploy: Path) -> None:
    """Some builds of OpenSSL refuse it by themselves, so the file is read as well."""
    assert "\nssl_protocols TLSv1.2 TLSv1.3;\n" in (deploy / "nginx" / "server.conf").read_text()


def test_addresses_in_the_examples_belong_to_nobody(deploy: Path) -> None:
    for path in (deploy / "nginx").iterdir():
        for word in path.read_text().split():
            host = word.strip(";").partition(":")[0]
            if host.count(".") == 3 and host.replace(".", "").isdigit():
                assert host.startswith(("192.0.2.", "127.0.0.")), f"{path.name}: {word}"
