"""The page that the chart installs: in its pod, with its image, each user with his own token."""

from e2e import workspaces
from e2e.release import NAMESPACE
from e2e.waiting import until
from tests.plane.accounts import ACCOUNT, role

READ = [{"apiGroups": ["kaito.sh"], "resources": ["workspaces"], "verbs": ["list", "watch"]}]
ITS_ACCOUNT = f"system:serviceaccount:{NAMESPACE}:workspace-ctrl-ui"
LONGEST_SECONDS = 60
"""For an answer that ends by itself."""


def asked(cluster, path, token="", seconds=5):
    """What the page's Service answers within some seconds, and its status."""
    address = workspaces.get(cluster, NAMESPACE, "service", "workspace-ctrl-ui")["spec"]["clusterIP"]
    given = ["-H", f"Authorization: Bearer {token}"] if token else []
    limit = ["--max-time", str(seconds)]
    command = ["curl", "--silent", *limit, "--write-out", "%{http_code}", *given, f"http://{address}:8000/{path}"]
    return cluster.run(command).stdout  # a stream of events does not end by itself


def test_the_page_of_the_chart_has_no_rights_and_shows_each_user_what_his_token_may_read(release, team):
    cluster = release.cluster
    release.upgrade({"ui": {"enabled": True, "title": "models"}})
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT}}
    workspaces.apply(cluster, team, workspaces.workspace("phi"), account, *role("Role", "reader", READ, team))
    token = cluster.kubectl("create", "token", ACCOUNT, "-n", team).strip()

    def events_with(words, path):
        """The events of a page, read for longer and longer until these words are among them."""
        seen: list[str] = []

        def is_told():
            seen.append(asked(cluster, path, token, 5 * (len(seen) + 1)))
            return words in seen[-1]

        until(is_told, f"the page to say {words}")
        return seen[-1]

    # The API server learns of the role, and the page of the Workspace, when they come to it.
    shown = events_with(f'"Workspace/{team}/phi"', f"events?namespace={team}")
    assert f"models, namespace {team}, as system:serviceaccount:{team}:{ACCOUNT}" in shown
    assert f'"Workspace/{team}/phi"' not in events_with("you may not list Workspaces", "events")
    assert asked(cluster, "events", seconds=LONGEST_SECONDS).endswith("401")
    assert asked(cluster, "events", token[:-4], LONGEST_SECONDS).endswith("401")

    allowed = cluster.kubectl("auth", "can-i", "list", "workspaces", "-A", f"--as={ITS_ACCOUNT}", check=False)
    assert allowed.strip() == "no"
    pods = cluster.kubectl("logs", "deployment/workspace-ctrl-ui", "-n", NAMESPACE)
    assert "Traceback" not in pods
    assert token not in pods
