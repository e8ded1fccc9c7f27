"""Container images without any tool: busybox-static and a page in one layer, pushed as an OCI image."""
import gzip
import hashlib
import io
import json
import pathlib
import tarfile
import urllib.parse

from . import tools

BUSYBOX = pathlib.Path('/usr/bin/busybox')
APPLETS = ['sh', 'httpd', 'wget', 'cat', 'sleep', 'mv', 'echo', 'env', 'ls', 'mkdir', 'rm', 'true', 'false', 'nslookup', 'nc', 'id',
           'test', 'hostname', 'kill', 'date', 'touch', 'printf', 'seq', 'head', 'stat', 'awk', 'grep', 'sed', 'timeout']
MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
CONFIG = 'application/vnd.oci.image.config.v1+json'
LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip'


def _digest(data):
    return 'sha256:' + hashlib.sha256(data).hexdigest()


def _file(tar, name, data, mode=0o644):
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    tar.addfile(entry, io.BytesIO(data))


def _entry(tar, name, kind, mode=0o755, target=''):
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.linkname = kind, mode, target
    tar.addfile(entry)


def _layer(page):
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode='w', format=tarfile.USTAR_FORMAT) as tar:
        for folder in ('bin', 'etc', 'www'):
            _entry(tar, folder, tarfile.DIRTYPE)
        _entry(tar, 'tmp', tarfile.DIRTYPE, 0o1777)
        _file(tar, 'bin/busybox', BUSYBOX.read_bytes(), 0o755)
        for applet in APPLETS:
            _entry(tar, f'bin/{applet}', tarfile.SYMTYPE, 0o777, 'busybox')
        _file(tar, 'etc/passwd', b'root:x:0:0:root:/:/bin/sh\nweb:x:1000:1000:web:/:/bin/sh\n')
        _file(tar, 'www/index.html', page.encode())
    return plain.getvalue()


class Image:
    def __init__(self, page, command=('/bin/httpd', '-f', '-p', '8080', '-h', '/www'), extra=None):
        plain = _layer(page)
        self.layer = gzip.compress(plain, 1, mtime=0)
        # busybox is the first process of its container and ends at no other signal.
        config = {'Cmd': list(command), 'Env': ['PATH=/bin'], 'WorkingDir': '/', 'StopSignal': 'SIGKILL', **(extra or {})}
        self.config = json.dumps({'architecture': 'amd64', 'os': 'linux', 'config': config, 'rootfs': {
            'type': 'layers', 'diff_ids': [_digest(plain)]}, 'history': [{'created_by': 'the laboratory'}]}).encode()
        self.manifest = json.dumps({'schemaVersion': 2, 'mediaType': MANIFEST,
                                    'config': self._part(CONFIG, self.config),
                                    'layers': [self._part(LAYER, self.layer)]}).encode()
        self.digest = _digest(self.manifest)

    @staticmethod
    def _part(kind, data):
        return {'mediaType': kind, 'digest': _digest(data), 'size': len(data)}


def push(registry, name, tag, image):
    """`registry` has request(method, path, …) -> Reply."""
    for data in (image.config, image.layer):
        _push_blob(registry, name, data)
    reply = registry.request('PUT', f'/v2/{name}/manifests/{tag}', body=image.manifest, headers={'Content-Type': MANIFEST})
    if reply.status != 201:
        raise tools.Failure(f'push of {name}:{tag}: {reply.status} {reply.text}')


def _push_blob(registry, name, data):
    reply = registry.request('POST', f'/v2/{name}/blobs/uploads/')
    if reply.status != 202:
        raise tools.Failure(f'upload to {name}: {reply.status} {reply.text}')
    parts = urllib.parse.urlsplit(reply.headers['Location'])
    query = (parts.query + '&' if parts.query else '') + urllib.parse.urlencode({'digest': _digest(data)})
    reply = registry.request('PUT', f'{parts.path}?{query}', body=data, headers={'Content-Type': 'application/octet-stream'})
    if reply.status != 201:
        raise tools.Failure(f'upload to {name}: {reply.status} {reply.text}')
