"""What `make install` puts in place: programs, units, settings, manual pages, completion; and that each of them is right."""
import os
import re
import socket
import subprocess

import pytest

from tests.lab import space, tls, tools

REQUIRED = {'agent': {'cluster': 'edge', 'broker.address': 'mqtts://localhost'},
            'coordinator': {'broker.address': 'mqtts://localhost'}}


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """An installation below a directory of its own, from the programs that are being tested."""
    where = tmp_path_factory.mktemp('root')
    install(where, 'kedge-agent', 'kedge-agent-job', 'kedge-coordinator', 'kedge')
    return where


def install(where, *names):
    subprocess.run(['packaging/install', tools.build(), where, '/usr', *names], cwd=space.ROOT, check=True, capture_output=True)


def free_port():
    with socket.socket() as one:
        one.bind(('127.0.0.1', 0))
        return one.getsockname()[1]


def run(*argv, **options):
    return subprocess.run([str(word) for word in argv], capture_output=True, text=True, timeout=60, **options)


def test_everything_is_there(root):
    found = {str(path.relative_to(root)) for path in root.rglob('*') if path.is_file()}
    assert found == {
        'usr/bin/kedge', 'usr/bin/kedge-agent', 'usr/bin/kedge-coordinator', 'usr/libexec/kedge/kedge-agent-job',
        'usr/lib/systemd/system/kedge-agent.service', 'usr/lib/systemd/system/kedge-coordinator.service',
        'usr/lib/sysusers.d/kedge.conf', 'usr/share/bash-completion/completions/kedge',
        'usr/share/man/man1/kedge.1', 'usr/share/man/man8/kedge-agent.8', 'usr/share/man/man8/kedge-coordinator.8',
        'etc/kedge/agent.conf', 'etc/kedge/coordinator.conf', 'etc/kedge/mosquitto.conf'}


@pytest.mark.parametrize('name', ['agent', 'coordinator'])
def test_settings_are_read(root, name, tmp_path):
    """The file as installed, with what must be set, is good; and the program looks for it where it was put."""
    program, text = root / f'usr/bin/kedge-{name}', (root / f'etc/kedge/{name}.conf').read_text()
    for key, value in REQUIRED[name].items():
        text = re.sub(rf'^#?{re.escape(key)} =.*$', f'{key} = {value}', text, flags=re.M)
    config = tmp_path / 'filled.conf'
    config.write_text(text)
    good = run(program, '--config', config, '--check-config')
    assert good.returncode == 0, good.stderr
    assert f'/etc/kedge/{name}.conf' in run(program, '--help').stdout


@pytest.mark.parametrize('name', ['agent', 'coordinator'])
def test_default_settings_say_their_defaults(root, name, tmp_path):
    """Every commented default, when written out, is accepted too: comments and table say the same."""
    program, text = root / f'usr/bin/kedge-{name}', (root / f'etc/kedge/{name}.conf').read_text()
    head = text.split('\n#[', 1)[0]
    for key, value in REQUIRED[name].items():
        head = re.sub(rf'^#?{re.escape(key)} =.*$', f'{key} = {value}', head, flags=re.M)
    config = tmp_path / 'explicit.conf'
    config.write_text(re.sub(r'^#(\S+ = \S)', r'\1', head, flags=re.M))
    good = run(program, '--config', config, '--check-config')
    assert good.returncode == 0, good.stderr


def test_manual_pages_are_well_formed(root):
    for page in sorted(root.glob('usr/share/man/man*/*')):
        shown = run('groff', '-man', '-ww', '-Tutf8', '-K', 'utf-8', page)
        assert shown.returncode == 0 and shown.stderr == '', f'{page.name}: {shown.stderr}'
        for part in ('NAME', 'SYNOPSIS', 'DESCRIPTION'):
            assert f'\n.SH {part}\n' in page.read_text(), f'{page.name} has no {part}'


def test_units_are_valid(root, tmp_path):
    for unit in sorted(root.glob('usr/lib/systemd/system/*')):
        text = unit.read_text()
        assert re.search(r'^ExecStart=/usr/bin/kedge-\w+ --config /etc/kedge/\w+\.conf$', text, re.M)
        assert os.access(root / re.search(r'^ExecStart=/(\S+)', text, re.M).group(1), os.X_OK)
        copy = tmp_path / unit.name
        copy.write_text(re.sub(r'^ExecStart=\S+', f'ExecStart={root}/usr/bin/{unit.stem}',
                               re.sub(r'^Documentation=.*\n', '', text, flags=re.M), flags=re.M))
        checked = run('systemd-analyze', 'verify', copy)
        complaints = [line for line in checked.stderr.splitlines() if unit.name in line]
        assert complaints == [], complaints


def test_installing_again_keeps_settings(root):
    changed = root / 'etc/kedge/agent.conf'
    before = changed.read_text()
    changed.write_text('# mine\n')
    install(root, 'kedge-agent')
    assert changed.read_text() == '# mine\n'
    fresh = changed.with_suffix('.conf.new')
    assert fresh.read_text() == before
    fresh.rename(changed)


def test_broker_starts_with_its_settings(root, tmp_path):
    """The stock configuration, with its paths turned to a directory of ours, is taken by mosquitto and listens with TLS."""
    authority = tls.Authority(tmp_path / 'tls')
    cert, key = authority.issue('broker', 'broker', ['127.0.0.1'])
    port = free_port()
    text = (root / 'etc/kedge/mosquitto.conf').read_text()
    for old, new in {'/etc/kedge/tls/ca.pem': authority.cert, '/etc/kedge/tls/broker.pem': cert, '/etc/kedge/tls/broker.key': key,
                     '/var/lib/mosquitto/': f'{tmp_path}/', 'listener 8883': f'listener {port} 127.0.0.1'}.items():
        assert old in text
        text = text.replace(old, str(new))
    config, log = tmp_path / 'mosquitto.conf', tmp_path / 'mosquitto.log'
    config.write_text('user root\n' + text)
    with open(log, 'wb') as errors, subprocess.Popen(['/usr/sbin/mosquitto', '-c', config], stderr=errors) as broker:
        try:
            def speaks():
                assert broker.poll() is None, log.read_text()
                hello = run('openssl', 's_client', '-connect', f'127.0.0.1:{port}', '-CAfile', authority.cert, input='')
                return 'Verify return code: 0' in hello.stdout
            tools.wait_for(speaks, 'the broker', logs=[log])
        finally:
            broker.kill()
