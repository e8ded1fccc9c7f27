"""A certificate authority of the run's own, made by openssl."""
import pathlib

from . import tools


class Authority:
    def __init__(self, folder):
        self.dir = pathlib.Path(folder)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.key, self.cert = self.dir / 'ca.key', self.dir / 'ca.crt'
        self._key(self.key)
        tools.command(['openssl', 'req', '-x509', '-new', '-key', self.key, '-days', '2', '-subj', '/CN=lab authority', '-out',
                       self.cert])

    @staticmethod
    def _key(path):
        tools.command(['openssl', 'ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', path])
        path.chmod(0o600)

    def issue(self, name, subject, addresses=()):
        """Returns (certificate, key) for a server (with addresses) or a client."""
        key, request, cert, extra = (self.dir / f'{name}.{end}' for end in ('key', 'csr', 'crt', 'ext'))
        self._key(key)
        tools.command(['openssl', 'req', '-new', '-key', key, '-subj', '/CN=' + subject.replace('/', r'\/'), '-out', request])
        names = 'subjectAltName=' + ','.join(f'IP:{one}' for one in addresses)
        extra.write_text((names if addresses else 'basicConstraints=CA:FALSE') + '\n')
        tools.command(['openssl', 'x509', '-req', '-in', request, '-CA', self.cert, '-CAkey', self.key, '-CAserial',
                       self.dir / f'{name}.srl', '-CAcreateserial', '-days', '2', '-extfile', extra, '-out', cert])
        return cert, key
