"""The arguments that flags of a user become: those with which vLLM starts, as read in the argument parsers of its packages."""

import pytest

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.catalog.vllm import flags
from workspace_ctrl.planning.vllm.flag_arguments import flag_arguments


@pytest.mark.parametrize(
    ("name", "value", "arguments"),
    [
        pytest.param("lora-target-modules", ["q", "v"], ["--lora-target-modules", "q", "v"], id="arguments"),
        pytest.param("cudagraph-capture-sizes", [-1, 8], ["--cudagraph-capture-sizes", "-1", "8"], id="numbers"),
        pytest.param("api-key", ["a", "b"], ["--api-key", "a", "b"], id="keys"),
        pytest.param("api-key", "-a", ["--api-key=-a"], id="a key with a dash"),
        pytest.param("lora-target-modules", [], [], id="no arguments"),
        pytest.param("allowed-origins", ["https://a", "*"], ['--allowed-origins=["https://a", "*"]'], id="JSON"),
        pytest.param("allowed-methods", [], ["--allowed-methods=[]"], id="empty JSON"),
        pytest.param("allowed-headers", '["a"]', ['--allowed-headers=["a"]'], id="text with JSON, as KAITO needs it"),
        pytest.param("allowed-headers", "*", ['--allowed-headers=["*"]'], id="text that is not JSON"),
        pytest.param("middleware", ["a.B", "c.D"], ["--middleware=a.B", "--middleware=c.D"], id="repeated"),
        pytest.param("middleware", [], [], id="repeated never"),
        pytest.param("middleware", "a.B", ["--middleware=a.B"], id="once"),
        pytest.param(
            "disable-access-log-for-endpoints", ["/health", "/metrics"], ["--disable-access-log-for-endpoints=/health,/metrics"]
        ),
        pytest.param("tool-server", ["a:1", "b:2"], ["--tool-server=a:1,b:2"], id="commas"),
        pytest.param("tool-server", [], [], id="no commas"),
        pytest.param("enable-prefix-caching", False, ["--no-enable-prefix-caching"], id="off"),
        pytest.param("enable-prefix-caching", "True", ["--enable-prefix-caching"], id="on, as text"),
        pytest.param("disable-log-stats", False, [], id="off, without a form for it"),
        pytest.param("aggregate-engine-logging", "false", [], id="off, as text"),
        pytest.param("aggregate-engine-logging", True, ["--aggregate-engine-logging"], id="on"),
        pytest.param("flag-of-tomorrow", ["a", "b"], ["--flag-of-tomorrow", "a", "b"], id="not known"),
    ],
)
def test_a_flag_has_the_form_that_vllm_reads(name, value, arguments):
    assert list(flag_arguments(name, value)) == arguments


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("seed", [1, 2], "vllm.seed is a list, but vLLM takes one value; set one value"),
        ("disable-log-stats", [True], "vllm.disable-log-stats is a list"),
        ("api-key", ["a", "--port=1"], "vllm.api-key has a value that begins with a dash"),
        ("flag-of-tomorrow", ["-v"], "vllm.flag-of-tomorrow has a value that begins with a dash"),
    ],
)
def test_a_list_that_vllm_would_not_read_as_one_is_refused(name, value, said):
    with pytest.raises(SpecError, match="inference.config") as caught:
        list(flag_arguments(name, value))
    assert said in str(caught.value)
    assert "--port" not in str(caught.value)


@pytest.mark.parametrize("name", flags())
def test_no_list_smuggles_another_flag_in(name):
    """Flags that depend on each other, and secrets, could otherwise be set behind the checks."""
    try:
        arguments = list(flag_arguments(name, ["a", "--served-model-name=b", "-tp=8"]))
    except SpecError:
        return
    assert all(argument.startswith(f"--{name}=") for argument in arguments)
