"""An agent that speaks TLS to the broker, with a certificate of its own."""
import pytest

from tests.demo import story
from tests.lab import charts, installation, tls


@pytest.fixture(scope='module')
def kedge(lab):
    one = installation.Installation(lab)
    for agent in one.agents.values():
        agent.use_tls()
    try:
        yield one.begin()
        one.stop()
    finally:
        one.end()


def test_deploys_over_tls(kedge):
    kedge.import_shop()
    kedge.kedge.text('deploy', 'shop:1.0.0', '--name', 'shop', '-l', story.LABEL, '--set', story.caller_target())
    kedge.until_state('shop')
    for edge in kedge.edges:
        url = f'http://{edge.address}:{charts.NODE_PORT}/'
        kedge.wait_for(lambda edge=edge, url=url: edge.get(url) == 'caller got: page v1\n', 'the page')
    log = kedge.lab.site.broker.process.log.read_text()
    for agent in kedge.agents.values():
        assert f"u'default/{agent.cluster}'" in log  # the broker knows it by its certificate


def test_a_broker_of_another_authority_is_refused(kedge):
    agent = kedge.agents['edge-1']
    good = agent.settings['broker.ca_file']
    agent.stop()
    agent.settings['broker.ca_file'] = tls.Authority(kedge.lab.run.dir / 'other-tls').cert
    agent.start()  # ready without a broker
    kedge.wait_for(lambda: 'certificate' in agent.log(), 'a log line that names the certificate')
    kedge.until_clusters({'edge-1': 'offline'})
    agent.stop()
    agent.settings['broker.ca_file'] = good
    agent.start()
    kedge.until_clusters({'edge-1': 'online'})
