"""System tests run in a run of the laboratory (tests/lab): whatever a test forgets ends with it. A plain `pytest tests/system`
starts one by itself."""
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.lab import lab as laboratory  # noqa: E402
from tests.lab import installation, space, stock, tools  # noqa: E402


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    if space.Run.current() or config.option.collectonly or config.option.help:
        return None
    capture = config.pluginmanager.getplugin('capturemanager')
    capture.suspend_global_capture(in_=True)
    argv = [sys.executable, '-m', 'pytest', *config.invocation_params.args]
    return space.run(lambda: subprocess.call(argv, cwd=config.invocation_params.dir))


@pytest.fixture(scope='session')
def lab():
    """The machines with what is not ours: registry and broker on the site, Podman on two edges, images and charts pushed."""
    one = laboratory.Lab()
    try:
        one.begin(edges=2, with_tls=True)
        one.publish()
        yield one
    finally:
        one.close()


@pytest.fixture(autouse=True)
def no_sanitizer_report(request):
    """A test fails if a program that it ran wrote a report of ASan, LSan or UBSan."""
    yield
    if 'lab' in request.fixturenames:
        reports = request.getfixturevalue('lab').take_sanitizer_reports()
        if reports:
            pytest.fail('\n'.join(reports))


@pytest.fixture
def wait_for():
    return tools.wait_for


@pytest.fixture(scope='module')
def kedge(lab):
    """An installation with empty stores, for the tests of one file: the clusters edge-1 and edge-2 are online."""
    one = installation.Installation(lab)
    try:
        yield one.begin()
        one.stop()
    finally:
        one.end()


@pytest.fixture
def operator(lab):
    """paho-mqtt as an operator."""
    one = stock.Operator(lab.site)
    yield one
    one.close()
