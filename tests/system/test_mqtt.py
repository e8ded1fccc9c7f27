"""The MQTT client against a real mosquitto: absent, killed, back, with TLS, in bursts, with wills."""
import queue
import signal
import socket
import subprocess
import threading
import time

import pytest

from tests.lab import tls, tools

LIMIT_S = 60


def free_port():
    with socket.socket() as one:
        one.bind(('127.0.0.1', 0))
        return one.getsockname()[1]


class Broker:
    def __init__(self, folder, lines=(), port=None):
        self.port, self.log = port or free_port(), folder / 'broker.log'
        self.config = folder / 'broker.conf'
        first = [f'listener {self.port} 127.0.0.1', 'user root', 'max_queued_messages 1000000']
        self.config.write_text('\n'.join([*first, *lines]) + '\n')
        self.child = None

    def start(self):
        with open(self.log, 'ab') as log:
            argv = ['/usr/sbin/mosquitto', '-c', self.config]
            self.child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        tools.wait_for(self.listens, 'broker', logs=[self.log])
        return self

    def listens(self):
        with socket.create_connection(('127.0.0.1', self.port), 1):
            return True

    def kill(self, number=signal.SIGKILL):
        if self.child:
            self.child.send_signal(number)
            self.child.wait()
            self.child = None


class Driver:
    """The C program that speaks through our client."""

    def __init__(self, address, client_id, **options):
        path = tools.build() / 'tests' / 'system' / 'mqtt_driver'
        argv = [path, f'address={address}', f'client_id={client_id}', *(f'{key}={value}' for key, value in options.items())]
        self.child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.lines, self.seen = queue.Queue(), []
        self.reader = threading.Thread(target=lambda: [self.lines.put(line.rstrip('\n')) for line in self.child.stdout])
        self.reader.start()

    def order(self, text):
        self.child.stdin.write(text + '\n')

    def expect(self, start, limit_s=LIMIT_S):
        """The next line that begins so; others before it are kept in `seen`."""
        until = time.monotonic() + limit_s
        while True:
            try:
                line = self.lines.get(timeout=max(0.01, until - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f'no line "{start}…", but: {self.seen[-20:]}') from None
            self.seen.append(line)
            if line.startswith(start):
                return line

    def end(self, how='disconnect'):
        if self.child.poll() is None:
            self.order(f'close {how}')
        code = self.child.wait(LIMIT_S)
        self.reader.join()
        self.child.stdin.close()
        self.child.stdout.close()
        return code


@pytest.fixture
def start():
    """Starts brokers and drivers, and ends whatever is left."""
    made = []

    def one(kind, *args, **kwargs):
        made.append(kind(*args, **kwargs))
        return made[-1]
    yield one
    for thing in made:
        if isinstance(thing, Broker):
            thing.kill()
        elif thing.child.poll() is None:
            thing.child.kill()
            thing.child.wait()
            thing.reader.join()


@pytest.fixture
def plain(start, tmp_path):
    return start(Broker, tmp_path, ['allow_anonymous true']).start()


def test_messages_carry_all_their_parts(start, plain):
    driver = start(Driver, f'mqtt://127.0.0.1:{plain.port}', 'default/one')
    assert driver.expect('connected').startswith('connected 1 packet=4294967295 send=')
    driver.order('subscribe 7 kedge/v1/a/# kedge/v1/b')
    assert driver.expect('subscribed') == 'subscribed 7 1 1'
    driver.order('request 8 kedge/v1/a/b kedge/v1/reply secret')
    wanted = 'message kedge/v1/a/b request retain=0 response=kedge/v1/reply correlation=secret one:1 two:2'
    assert driver.expect('message') == wanted
    driver.expect('published 8 0')
    driver.order('retain 9 kedge/v1/kept state')
    driver.expect('published 9 ')
    driver.order('subscribe 10 kedge/v1/kept')
    assert driver.expect('message') == 'message kedge/v1/kept state retain=1 response= correlation='
    driver.order('unsubscribe 11 kedge/v1/kept')
    driver.expect('subscribed 11')
    assert driver.end() == 0


def test_broker_comes_late_is_killed_and_comes_back(start, tmp_path):
    broker = start(Broker, tmp_path, ['allow_anonymous true'])
    driver = start(Driver, f'mqtt://localhost:{broker.port}', 'default/one')
    assert 'Connection refused' in driver.expect('disconnected 0')
    driver.order('publish 1 kedge/v1/x y')
    assert driver.expect('publish') == 'publish unavailable not connected to the broker'
    broker.start()
    driver.expect('connected')
    broker.kill()
    driver.expect('disconnected 1')
    driver.order('publish 2 kedge/v1/x y')
    driver.expect('publish unavailable')
    broker.start()
    driver.expect('connected')
    driver.order('publish 3 kedge/v1/x y')
    driver.expect('published 3')
    assert driver.end() == 0


def test_address_that_cannot_be_resolved_is_tried_again(start):
    driver = start(Driver, 'mqtt://no-such-host.invalid', 'default/one')
    for _ in range(3):
        driver.expect('disconnected 0')
    assert driver.end() == 0


@pytest.mark.parametrize('options, field', [
    ({'address': 'http://x'}, 'address'), ({'address': 'mqtt://'}, 'address'), ({'address': 'mqtt://a:0'}, 'address'),
    ({'address': 'mqtt://a b'}, 'address'), ({'client_id': ''}, 'client_id'), ({'cert_file': '/x'}, 'key_file'),
    ({'keep_alive': 70000}, 'keep_alive_s')])
def test_wrong_options_are_named(start, options, field):
    merged = {'address': 'mqtt://localhost', 'client_id': 'x', **options}
    driver = start(Driver, merged.pop('address'), merged.pop('client_id'), **merged)
    assert driver.expect('open').startswith(f'open invalid {field}: ')
    assert driver.child.wait(LIMIT_S) == 1


def test_burst_is_acknowledged_and_arrives(start, plain):
    address = f'mqtt://127.0.0.1:{plain.port}'
    receiver = start(Driver, address, 'default/receiver', queue=20000)
    receiver.expect('connected')
    receiver.order('subscribe 1 kedge/v1/burst')
    receiver.expect('subscribed')
    receiver.order('count')
    receiver.order('stall 1000')  # a full queue holds the broker back, and nothing is lost
    sender = start(Driver, address, 'default/sender')
    sender.expect('connected')
    sender.order('burst 10000 kedge/v1/burst')
    sender.expect('burst 10000')
    receiver.expect('stalled')
    receiver.expect('received 10000')
    assert sender.end() == 0 and receiver.end() == 0


def test_large_messages_are_refused_here(start, tmp_path):
    broker = start(Broker, tmp_path, ['allow_anonymous true', 'max_packet_size 20000']).start()
    driver = start(Driver, f'mqtt://127.0.0.1:{broker.port}', 'default/one')
    assert ' packet=20000 ' in driver.expect('connected')
    driver.order('large 1 kedge/v1/x 30000')
    driver.expect('publish too-large')
    driver.order('large 2 kedge/v1/x 19000')
    driver.expect('published 2 ')
    driver.order('publish 3 kedge/v1/# x')
    driver.expect('publish invalid')
    assert driver.end() == 0


def test_refused_publish_and_subscription_are_told(start, tmp_path):
    acl = tmp_path / 'acl'
    acl.write_text('topic readwrite kedge/v1/mine/#\n')
    broker = start(Broker, tmp_path, ['allow_anonymous true', f'acl_file {acl}']).start()
    driver = start(Driver, f'mqtt://127.0.0.1:{broker.port}', 'default/one')
    driver.expect('connected')
    driver.order('publish 1 kedge/v1/other x')
    driver.expect('published 1 135')
    driver.order('publish 2 kedge/v1/mine/a x')
    assert driver.expect('published 2').split()[2] in ('0', '16')
    assert driver.end() == 0


def test_wills(start, plain):
    address = f'mqtt://127.0.0.1:{plain.port}'
    watcher = start(Driver, address, 'default/watcher')
    watcher.expect('connected')
    watcher.order('subscribe 1 kedge/v1/will')
    watcher.expect('subscribed')
    driver = start(Driver, address, 'default/one')
    driver.expect('connected')
    for number, how in enumerate(('will', 'vanish', 'disconnect', 'will')):
        driver.order(f'will kedge/v1/will {how}-{number}')
        driver.order('reconnect 1000')  # a will counts from the next connection on
        driver.expect('connected')
        assert driver.end(how) == 0
        if how != 'disconnect':
            assert watcher.expect('message').startswith(f'message kedge/v1/will {how}-{number} ')
        driver = start(Driver, address, 'default/one')
        driver.expect('connected')
    assert driver.end() == 0 and watcher.end() == 0


def test_reason_of_the_brokers_disconnect_is_told(start):
    """mosquitto 2.0.11 just closes when a session is taken over; other brokers say why."""
    with socket.socket() as broker:
        broker.bind(('127.0.0.1', 0))
        broker.listen(1)
        driver = start(Driver, f'mqtt://127.0.0.1:{broker.getsockname()[1]}', 'default/one')
        connection, _ = broker.accept()
        connection.recv(4096)
        connection.sendall(bytes([0x20, 3, 0, 0, 0]) + bytes([0xE0, 1, 0x8E]))  # CONNACK, DISCONNECT
        assert driver.expect('disconnected').startswith('disconnected 1 142 ')
        driver.order('reconnect 60000000')
        assert driver.end() == 0
        connection.close()


def test_end_while_the_broker_says_nothing(start):
    with socket.socket() as silent:
        silent.bind(('127.0.0.1', 0))
        silent.listen(1)
        driver = start(Driver, f'mqtt://127.0.0.1:{silent.getsockname()[1]}', 'default/one')
        connection, _ = silent.accept()
        assert driver.end() == 0
        connection.close()


@pytest.fixture(scope='module')
def authorities(tmp_path_factory):
    folder = tmp_path_factory.mktemp('tls')
    return tls.Authority(folder / 'right'), tls.Authority(folder / 'wrong')


def secure_broker(start, folder, authority, address='127.0.0.1'):
    cert, key = authority.issue('broker', 'broker', [address])
    return start(Broker, folder, [f'cafile {authority.cert}', f'certfile {cert}', f'keyfile {key}', 'require_certificate true',
                                  'use_identity_as_username true']).start()


def test_tls_with_client_certificate(start, tmp_path, authorities):
    right, wrong = authorities
    broker = secure_broker(start, tmp_path, right)
    cert, key = right.issue('client', 'one')
    address = f'mqtts://127.0.0.1:{broker.port}'
    driver = start(Driver, address, 'default/one', ca_file=right.cert, cert_file=cert, key_file=key)
    driver.expect('connected')
    assert driver.end() == 0
    driver = start(Driver, address, 'default/one', ca_file=wrong.cert, cert_file=cert, key_file=key)
    assert 'certificate verify failed' in driver.expect('disconnected 0')
    assert driver.end() == 0
    driver = start(Driver, address, 'default/one', ca_file=right.cert)
    driver.expect('disconnected 0')
    assert driver.end() == 0
    driver = start(Driver, address, 'default/one', ca_file=tmp_path / 'absent')
    assert 'No such file' in driver.expect('disconnected 0')
    assert driver.end() == 0


def test_tls_checks_the_name(start, tmp_path, authorities):
    right, _ = authorities
    broker = secure_broker(start, tmp_path, right, address='127.0.0.2')
    cert, key = right.issue('client', 'one')
    driver = start(Driver, f'mqtts://127.0.0.1:{broker.port}', 'default/one', ca_file=right.cert, cert_file=cert, key_file=key)
    driver.expect('disconnected 0')
    assert not any(line.startswith('connected') for line in driver.seen)
    assert driver.end() == 0


def test_tls_reads_renewed_files_at_the_next_connect(start, tmp_path, authorities):
    right, wrong = authorities
    broker = secure_broker(start, tmp_path, right)
    cert, key = right.issue('client', 'one')
    ca_file = tmp_path / 'ca.crt'
    ca_file.write_bytes(wrong.cert.read_bytes())
    driver = start(Driver, f'mqtts://127.0.0.1:{broker.port}', 'default/one', ca_file=ca_file, cert_file=cert, key_file=key)
    driver.expect('disconnected 0')
    ca_file.write_bytes(right.cert.read_bytes())
    driver.expect('connected')
    assert driver.end() == 0


@pytest.mark.parametrize('scheme', ['mqtt', 'mqtts'])
def test_end_while_the_connect_hangs(start, scheme):
    """A listener whose queue is full answers no SYN: the network thread then sits in connect() for two minutes, and may."""
    with socket.socket() as full:
        full.bind(('127.0.0.1', 0))
        full.listen(0)
        waiting = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(full.getsockname())
            waiting.append(one)
        driver = start(Driver, f'{scheme}://127.0.0.1:{full.getsockname()[1]}', 'default/one')
        driver.order('publish 1 kedge/v1/x y')
        driver.expect('publish unavailable')
        assert driver.end() == 0
        for one in waiting:
            one.close()
