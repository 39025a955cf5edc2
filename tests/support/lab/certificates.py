"""A certificate authority that lives as long as the tests, made by the openssl command."""

from lab.process import run


class Authority:
    """Issues certificates below `folder`; give `ca` to whoever shall trust them."""

    def __init__(self, folder):
        self.folder = folder
        self.ca = folder / "ca.pem"
        self._key = folder / "ca.key"
        run(["openssl", "req", "-x509", *NEW_KEY, "-keyout", self._key, "-out", self.ca, "-days", "3",
             "-subj", "/CN=throw-away authority"])

    def issue(self, name, dns=(), ip=()):
        """A certificate for these names: (chain, key) as paths."""
        chain, key, request = (self.folder / f"{name}.{end}" for end in ("pem", "key", "csr"))
        names = ",".join([f"DNS:{one}" for one in dns] + [f"IP:{one}" for one in ip])
        run(["openssl", "req", *NEW_KEY, "-keyout", key, "-out", request, "-subj", f"/CN={name}",
             "-addext", f"subjectAltName={names}"])
        run(["openssl", "x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self._key, "-CAcreateserial",
             "-days", "2", "-copy_extensions", "copyall", "-out", chain])
        return chain, key


NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
