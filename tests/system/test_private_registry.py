"""A registry that asks for a name, a password and a certificate: charts and images come from it by the settings alone."""
import pytest

from tests.lab import charts, image, installation, site, tls
from tests.system.test_deploy import gone, one_web

USER, PASSWORD = 'robot', 'correct horse'
PORT = 5001


@pytest.fixture(scope='module')
def registry(lab):
    authority = tls.Authority(lab.run.dir / 'registry-tls')
    one = site.Registry(lab.site, PORT, 'private', USER, PASSWORD, authority)
    one.start()
    one.ready()
    one.push_image(site.PAGE, 'v1', image.Image('page private\n'))
    files = lab.site.charts()
    one.push_chart(files, files.package(files.create_web(), '0.1.0', 'v1'))
    yield one
    one.process.stop()


@pytest.fixture(scope='module')
def kedge(lab, registry):
    one = installation.Installation(lab)
    for edge in one.edges:  # images are pulled by Podman, which has a place of its own for authorities
        edge.trust(registry.host, registry.authority.cert)
    secret = lab.site.dir / 'registry-password'
    secret.write_text(PASSWORD + '\n')
    for daemon in one.daemons():
        daemon.sections.append((f'registry {registry.host}', {
            'ca_file': registry.authority.cert, 'username': USER, 'password_file': secret}))
    try:
        yield one.begin()
        one.stop()
    finally:
        one.end()


def test_deploys_from_it(kedge, registry):
    folder = kedge.lab.site.dir / 'packages' / 'private'
    values = charts.web_values(f'{registry.host}/{site.PAGE}')
    charts.write_any(folder, f'oci://{registry.host}/charts', 'private', '1.0.0', {'web': charts.App('web', '0.1.0', values)})
    (folder / 'registry.yaml').write_text(charts.registry_yaml('lab', f'oci://{registry.host}/charts'))
    kedge.kedge.text('import', folder)
    edge = kedge.edges[0]
    kedge.kedge.text('deploy', 'private:1.0.0', '--name', 'private', '--cluster', edge.name)
    one_web(kedge, edge, 'private', 'page private\n')
    gone(kedge, 'private')
    for log in kedge.logs():
        assert PASSWORD not in log.read_text()


def test_a_wrong_password_is_told_and_not_repeated(kedge, registry):
    """The coordinator's own settings are wrong: the deployment waits, and says what for."""
    wrong = kedge.lab.site.dir / 'wrong-password'
    wrong.write_text('battery staple\n')
    row = kedge.coordinator.sections[-1][1]
    good, row['password_file'] = row['password_file'], wrong
    kedge.coordinator.reload()
    try:
        kedge.kedge.text('deploy', 'private:1.0.0', '--name', 'refused', '--cluster', kedge.edges[0].name)
        waiting = kedge.wait_for(lambda: kedge.deployment('refused')['status']['waiting'], 'a reason')
        assert '401' in waiting or 'password' in waiting or 'credentials' in waiting
        assert 'battery' not in waiting
    finally:
        row['password_file'] = good
        kedge.coordinator.reload()
    kedge.until_state('refused', running=1)
    gone(kedge, 'refused')
