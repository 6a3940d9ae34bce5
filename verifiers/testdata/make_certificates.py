#!/usr/bin/env python3
"""Makes certificates/ and client-certificate.json, the independent vectors of client-certificate, by the openssl command.

Run it here: python3 make_certificates.py. All keys and names are made up, and all are made anew in each run. Every
certificate is issued by openssl ca, and what the vectors say of it is what openssl verify says, asked here.
"""
import json
import pathlib
import subprocess
import tempfile

HERE = pathlib.Path(__file__).parent
OUT = HERE / "certificates"
NOW = 1719823264  # 2024-07-01
FROM, TO = "20240101000000Z", "20440101000000Z"

CONFIG = """
[ca]
default_ca = made
[made]
database = {dir}/index.txt
new_certs_dir = {dir}
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
email_in_dn = no
copy_extensions = none
[any]
commonName = optional
organizationName = optional
"""


def openssl(*args, **more):
    return subprocess.run(["openssl", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True, **more).stdout


class Maker:
    def __init__(self, dir):
        self.dir = pathlib.Path(dir)
        (self.dir / "index.txt").touch()
        self.config = self.dir / "ca.cnf"
        self.config.write_text(CONFIG.format(dir=dir))

    def key(self, name, rsa=0):
        path = self.dir / (name + ".key")
        kind = ["RSA", "-pkeyopt", f"rsa_keygen_bits:{rsa}"] if rsa else ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
        path.write_bytes(openssl("genpkey", "-quiet", "-algorithm", *kind))
        return path

    def issue(self, name, by, extensions, subject=None, start=FROM, end=TO, rsa=0):
        """A certificate under certificates/; by is the name of its authority, its own for a self-signed one."""
        key, request, ext = self.key(name, rsa), self.dir / (name + ".csr"), self.dir / (name + ".ext")
        openssl("req", "-new", "-key", str(key), "-subj", subject or "/CN=" + name, "-out", str(request))
        ext.write_text("\n".join(extensions) + "\n")
        signer = ["-selfsign", "-keyfile", str(key)] if by == name else ["-cert", str(OUT / (by + ".pem")), "-keyfile", str(self.dir / (by + ".key"))]
        openssl("ca", "-batch", "-notext", "-config", str(self.config), *signer, "-in", str(request), "-out", str(OUT / (name + ".pem")),
                "-startdate", start, "-enddate", end, "-extfile", str(ext))


AUTHORITY = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign", "subjectKeyIdentifier=hash"]


def client(*names, usage="clientAuth"):
    san = ["subjectAltName=" + ",".join(names)] if names else []
    eku = ["extendedKeyUsage=" + usage] if usage else []
    return ["basicConstraints=CA:FALSE", "authorityKeyIdentifier=keyid,issuer", *eku, *san]


def pem(name):
    return (OUT / (name + ".pem")).read_text()


def digest(name, colons=True):
    text = openssl("x509", "-in", str(OUT / (name + ".pem")), "-noout", "-fingerprint", "-sha256").decode().split("=")[1].strip()
    return text if colons else text.replace(":", "").lower()


def says(ca, leaf, between=(), at=NOW):
    """What openssl thinks of a chain."""
    untrusted = [a for name in between for a in ("-untrusted", str(OUT / (name + ".pem")))]
    return subprocess.run(["openssl", "verify", "-purpose", "sslclient", "-attime", str(at), "-CAfile", str(OUT / (ca + ".pem")), *untrusted, str(OUT / (leaf + ".pem"))],
                          capture_output=True).returncode == 0


with tempfile.TemporaryDirectory() as dir:
    OUT.mkdir(exist_ok=True)
    m = Maker(dir)
    for name in ("ca-one", "ca-two"):
        m.issue(name, name, AUTHORITY, "/O=Made up/CN=" + name)
    m.issue("ca-one-again", "ca-one-again", AUTHORITY, "/O=Made up/CN=ca-one")  # the same name, another key
    m.issue("ca-old", "ca-old", AUTHORITY, "/O=Made up/CN=ca-old", "20200101000000Z", "20240630000000Z")
    m.issue("between", "ca-one", AUTHORITY, "/O=Made up/CN=between")
    m.issue("client-one", "ca-one", client("DNS:hooks.one.example", "DNS:other.one.example"))
    m.issue("client-two", "ca-two", client("DNS:hooks.two.example"))
    m.issue("behind", "between", client("DNS:hooks.one.example"))
    m.issue("uri", "ca-one", client("URI:spiffe://one.example/hooks", "email:Hooks@One.Example"))
    m.issue("bare", "ca-one", client(usage=""), "/CN=CommBox Hooks")
    m.issue("doubled", "ca-one", client(usage=""), "/CN=first/CN=second")
    m.issue("named-twice", "ca-one", client("DNS:hooks.one.example"), "/CN=another.one.example")
    m.issue("upper", "ca-one", client("DNS:Hooks.ONE.example"))
    m.issue("wildcard", "ca-one", client("DNS:*.one.example"))
    m.issue("address", "ca-one", client("IP:192.0.2.1"), "/CN=hooks.one.example")
    m.issue("no-usage", "ca-one", client("DNS:hooks.one.example", usage=""))
    m.issue("server", "ca-one", client("DNS:hooks.one.example", usage="serverAuth"))
    m.issue("both-usages", "ca-one", client("DNS:hooks.one.example", usage="serverAuth,clientAuth"))
    m.issue("expired", "ca-one", client("DNS:hooks.one.example"), end="20240630235959Z")
    m.issue("future", "ca-one", client("DNS:hooks.one.example"), start="20240702000000Z")
    m.issue("self-made", "self-made", client("DNS:hooks.one.example"), "/CN=client-one")
    m.issue("impostor", "ca-one-again", client("DNS:hooks.one.example"))
    m.issue("by-client", "client-one", client("DNS:hooks.one.example"))
    m.issue("by-old", "ca-old", client("DNS:hooks.one.example"))
    m.issue("small", "ca-one", client("DNS:hooks.one.example"), rsa=1024)
    m.issue("ca-narrow", "ca-narrow", AUTHORITY + ["nameConstraints=permitted;DNS:narrow.example"], "/O=Made up/CN=ca-narrow")
    m.issue("by-narrow", "ca-narrow", client("DNS:hooks.one.example"))
    m.issue("ca-flat", "ca-flat", ["basicConstraints=critical,CA:TRUE,pathlen:0"] + AUTHORITY[1:], "/O=Made up/CN=ca-flat")
    m.issue("between-flat", "ca-flat", AUTHORITY, "/O=Made up/CN=between-flat")
    m.issue("behind-flat", "between-flat", client("DNS:hooks.one.example"))
    m.issue("between-old", "ca-one", AUTHORITY, "/O=Made up/CN=between-old", end="20240630000000Z")
    m.issue("behind-old", "between-old", client("DNS:hooks.one.example"))
    m.issue("unknown-extension", "ca-one", client("DNS:hooks.one.example") + ["1.2.3.4=critical,ASN1:UTF8String:x"])
    m.issue("rsa", "ca-one", client("DNS:hooks.one.example"), rsa=2048)
    for name in ("client-one", "client-two"):
        (OUT / (name + ".key.pem")).write_text((m.dir / (name + ".key")).read_text() + pem(name))
    (OUT / "no-pair.key.pem").write_text((m.dir / "client-two.key").read_text() + pem("client-one"))
    (OUT / "behind.key.pem").write_text((m.dir / "behind.key").read_text() + pem("behind") + pem("between"))

COMMAND = "openssl ca, then openssl verify -purpose sslclient -CAfile ca.pem -untrusted between.pem client.pem, see make_certificates.py"


def case(name, auth, shown, keyid, now=NOW, ca=()):
    if ca:
        assert says(ca[0], shown[0], shown[1:], now), name
    return {"name": name, "origin": "openssl", "command": COMMAND,
            "auth": {"scheme": "client-certificate", **auth, **({"ca": [pem(n) for n in ca]} if ca else {})},
            "now": now, "target": "/hooks/test", "headers": [], "body_b64": "e30=", "certificates": [pem(n) for n in shown], "keyid": keyid, "signed_time": ""}


cases = [
    case("issued by the authority", {}, ["client-one"], "ca[0]", ca=["ca-one"]),
    case("issued by the second of two authorities, name listed", {"names": ["hooks.two.example"]}, ["client-two"], "ca[1]"),
    case("through an intermediate certificate", {"names": ["hooks.one.example"]}, ["behind", "between"], "ca[0]", ca=["ca-one"]),
    case("a URI", {"names": ["spiffe://one.example/hooks"]}, ["uri"], "ca[0]", ca=["ca-one"]),
    case("an e-mail address", {"names": ["Hooks@one.example"]}, ["uri"], "ca[0]", ca=["ca-one"]),
    case("a common name, no usage said", {"names": ["CommBox Hooks"]}, ["bare"], "ca[0]", ca=["ca-one"]),
    case("an RSA key", {"names": ["hooks.one.example"]}, ["rsa"], "ca[0]", ca=["ca-one"]),
    case("a second before the end, at which openssl stops and RFC 5280 does not yet", {}, ["expired"], "ca[0]", now=1719791998, ca=["ca-one"]),
    case("the first second", {}, ["future"], "ca[0]", now=1719878400, ca=["ca-one"]),
    case("fingerprint with colons", {"fingerprints": [digest("client-two"), digest("client-one")]}, ["client-one"], "sha256:" + digest("client-one", False)[:16]),
    case("fingerprint of a self-made one", {"fingerprints": [digest("self-made", False)]}, ["self-made"], "sha256:" + digest("self-made", False)[:16]),
    case("authority, name and fingerprint", {"names": ["other.one.example"], "fingerprints": [digest("client-one", False)]}, ["client-one"],
         "sha256:" + digest("client-one", False)[:16], ca=["ca-one"]),
]
cases[1]["auth"]["ca"] = [pem("ca-one"), pem("ca-two")]
(HERE / "client-certificate.json").write_text(json.dumps(cases, indent=1) + "\n")
for leaf, good in {"server": False, "expired": False, "future": False, "impostor": False, "by-client": False, "self-made": False, "both-usages": True}.items():
    assert says("ca-one", leaf, ["client-one"] if leaf == "by-client" else []) == good, leaf
