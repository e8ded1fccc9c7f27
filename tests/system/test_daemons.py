"""Both daemons as a service manager and an administrator see them."""
import re
import signal
import time

import pytest

from tests.lab import tools

DAEMONS = ['kedge-coordinator', 'kedge-agent']
LOG_LINE = r'^\d{4}-\d\d-\d\dT[0-9:.]+Z (error|warning|notice|info|debug) +[a-z][a-z0-9._-]*( [a-z_.]+=|\s*$)'


def daemon(kedge, name):
    return kedge.coordinator if name == 'kedge-coordinator' else kedge.agents['edge-1']


@pytest.mark.parametrize('name', [*DAEMONS, 'kedge', 'kedge-agent-job'])
def test_version_and_help(kedge, name):
    for option, pattern in (('--version', r'^%s \d+\.\d+\.\d+' % name), ('--help', name)):
        done = kedge.lab.site.command(tools.program(name), option)
        assert re.search(pattern, done.stdout), done.stdout
        assert done.stderr == ''


@pytest.mark.parametrize('name', DAEMONS)
def test_check_config(kedge, name, tmp_path):
    one = daemon(kedge, name)
    done = one.command('--check-config')
    assert done.stderr == ''
    wrong = tmp_path / 'wrong.conf'
    wrong.write_text(one.config.read_text() + 'no.such.key = 1\n')
    done = one.machine.command(tools.program(name), '--config', wrong, '--check-config', check=False)
    assert done.returncode == 1
    assert 'no.such.key' in done.stderr and 'line' in done.stderr
    done = one.machine.command(tools.program(name), '--config', tmp_path / 'absent', '--check-config', check=False)
    assert done.returncode == 1
    assert 'absent' in done.stderr


@pytest.mark.parametrize('name', DAEMONS)
def test_a_wrong_option_ends_with_2(kedge, name):
    assert kedge.lab.site.command(tools.program(name), '--no-such-option', check=False).returncode == 2


@pytest.mark.parametrize('name', DAEMONS)
def test_its_own_printed_settings_are_right(kedge, name, tmp_path):
    """What --print-config writes can be read again."""
    one = daemon(kedge, name)
    printed = tmp_path / 'printed.conf'
    text = one.command('--print-config').stdout
    for key, value in one.settings.items():
        text, count = re.subn(rf'^#? ?{re.escape(key)} =.*$', f'{key} = {value}', text, flags=re.M)
        assert count == 1, key
    printed.write_text(text)
    one.machine.command(tools.program(name), '--config', printed, '--check-config')


@pytest.mark.parametrize('name', DAEMONS)
def test_stops_at_sigterm_and_says_so(kedge, name):
    one = daemon(kedge, name)
    one.process.kill(signal.SIGTERM)
    assert one.process.wait() == 0
    assert 'STOPPING=1' in one.notify.read()
    one.start()


@pytest.mark.parametrize('name', DAEMONS)
def test_reloads_at_sighup_what_is_safe(kedge, name):
    one = daemon(kedge, name)
    pid = one.process.pid
    one.settings['log.level'] = 'debug'
    one.settings['project'] = 'elsewhere'
    one.reload()
    assert 'RELOADING=1' in one.notify.heard
    tools.wait_for(lambda: re.search(r'project', one.log()), 'a log line that names what needs a restart', logs=[one.process.log])
    del one.settings['project']
    one.settings['log.level'] = 'info'
    one.reload()
    assert one.process.alive() and one.process.pid == pid


@pytest.mark.parametrize('name', DAEMONS)
def test_a_wrong_file_at_sighup_changes_nothing(kedge, name):
    one = daemon(kedge, name)
    good = one.config.read_text()
    one.config.write_text(good + 'no.such.key = 1\n')
    one.process.kill(signal.SIGHUP)
    tools.wait_for(lambda: 'no.such.key' in one.log(), 'a log line that names the key', logs=[one.process.log])
    assert one.process.alive()
    one.config.write_text(good)


@pytest.mark.parametrize('name', DAEMONS)
def test_feeds_the_watchdog(kedge, name):
    one = daemon(kedge, name)
    one.stop()
    one.environment = {'WATCHDOG_USEC': '400000'}
    one.start()
    one.notify.wait('WATCHDOG=1', one.process)
    one.notify.heard = []
    time.sleep(0.01)
    one.notify.wait('WATCHDOG=1', one.process)
    one.stop()
    one.environment = {}
    one.start()


@pytest.mark.parametrize('name', DAEMONS)
def test_logs_are_events_with_levels(kedge, name):
    lines = daemon(kedge, name).log().splitlines()
    assert lines
    for line in lines:
        assert re.match(LOG_LINE, line), line


@pytest.mark.parametrize('name', DAEMONS)
def test_ready_without_a_broker(kedge, name):
    one = daemon(kedge, name)
    one.stop()
    kedge.lab.site.broker.kill()
    try:
        one.start()
    finally:
        kedge.lab.site.broker.start()
        kedge.lab.site.broker.ready()
    kedge.until_clusters({'edge-1': 'online', 'edge-2': 'online'})


@pytest.mark.parametrize('name', DAEMONS)
def test_one_store_has_one_daemon(kedge, name):
    one = daemon(kedge, name)
    second = one.machine.command(*one.argv(), check=False, limit_s=20)
    assert second.returncode == 1
    assert one.process.alive()
