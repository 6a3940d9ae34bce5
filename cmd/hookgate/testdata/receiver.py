"""A webhook receiver with nothing of ours in it: it verifies by Python's standard library and the openssl command.

receiver.py SCHEME SECRET PUBLIC-KEY-FILE ISSUER prints its port, and answers 200 to what verifies and 401 to all else.
"""
import base64, hashlib, hmac, http.server, json, subprocess, sys, tempfile, time

scheme, secret, public, issuer = sys.argv[1:5]
key = secret.encode()


def rsa_sha256(signature, message):
    with tempfile.NamedTemporaryFile() as file:
        file.write(signature)
        file.flush()
        check = ["openssl", "dgst", "-sha256", "-verify", public, "-signature", file.name]
        return subprocess.run(check, input=message, capture_output=True).returncode == 0


def url_base64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def bearer(header):
    word, token = header.split(" ")
    head, claims, signature = token.split(".")
    said = json.loads(url_base64(claims))
    return (word == "Bearer" and json.loads(url_base64(head))["alg"] == "RS256" and said["iss"] == issuer
            and said["exp"] > time.time() and rsa_sha256(url_base64(signature), (head + "." + claims).encode()))


def verified(request, body):
    h = request.headers
    if scheme == "hub-signature":
        return h["X-Hub-Signature"] == "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest()
    if scheme == "siq-signature":
        return rsa_sha256(base64.b64decode(h["x-siqsignature"], validate=True), body)
    if scheme == "bird-signature":
        url = "http://" + h["Host"] + request.path
        message = "\n".join([h["messagebird-request-timestamp"], url, ""]).encode() + hashlib.sha256(body).digest()
        return h["messagebird-signature"] == base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()
    if scheme == "basic":
        return h["Authorization"] == "Basic " + base64.b64encode(key).decode()
    if scheme == "access-token":
        return h["Authorization"] == "Token " + secret
    if scheme == "bearer":
        return bearer(h["Authorization"])
    raise ValueError(scheme)


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            status = 200 if verified(self, body) else 401
        except Exception:  # a header that is missing or has another form
            status = 401
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_port, flush=True)
server.serve_forever()
