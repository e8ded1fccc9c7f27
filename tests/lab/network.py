"""The run's network: one bridge on the site, one link per machine. Nothing leads out of it: no address, route or interface of
the computer is in it, so every run can use the same numbers."""
import subprocess

from . import machine, tools

PREFIX = '10.99.0'
SITE = f'{PREFIX}.1'
BRIDGE = 'lab0'


def _batch(lines):
    done = subprocess.run(['ip', '-batch', '-'], input='\n'.join(lines) + '\n', text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise tools.Failure(f'ip -batch: {done.stdout}')


def _in(namespace, lines):
    done = subprocess.run(['nsenter', f'--net={machine.NETNS / namespace}', 'ip', '-batch', '-'], input='\n'.join(lines) + '\n',
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise tools.Failure(f'ip -batch in {namespace}: {done.stdout}')


def make_site(name):
    _batch([f'netns add {name}'])
    _in(name, ['link set lo up', f'link add {BRIDGE} type bridge', f'address add {SITE}/24 dev {BRIDGE}', f'link set {BRIDGE} up'])


def add_link(site, name, link, address):
    """A machine's namespace with eth0; the other end is on the site's bridge, under the machine's name."""
    _batch([f'netns add {name}'])
    _in(site, [f'link add {link} type veth peer name eth0 netns {name}', f'link set {link} master {BRIDGE} up'])
    _in(name, ['link set lo up', f'address add {address}/24 dev eth0', 'link set eth0 up'])


def set_link(site, link, up):
    _in(site, [f'link set {link} {"up" if up else "down"}'])
