"""The load in the metrics of an endpoint picker, as its real page has them."""

import pytest

from workspace_ctrl.load.picker_metrics import PoolLoad, parse_load

HELD = "inference_extension_flow_control_queue_size"
READY = 'inference_pool_ready_pods{name="p"} 2\n'
PAGE = f"""\
# HELP {HELD} Current number of requests actively held in the Flow Control queue.
# TYPE {HELD} gauge
{HELD}{{fairness_id="a",inference_pool="p",model_name="m",priority="0",target_model_name="m"}} 0
{HELD}{{fairness_id="default-flow",inference_pool="p",model_name="m",priority="0",target_model_name="m"}} 7
{HELD}{{fairness_id="default-flow",inference_pool="p",model_name="n",priority="-1",target_model_name="n"}} 3
# TYPE go_goroutines gauge
go_goroutines 80
"""


@pytest.mark.parametrize(
    ("text", "load"),
    [
        pytest.param("", PoolLoad(), id="nothing before the first request"),
        pytest.param(PAGE, PoolLoad(held=10), id="all tenants, models and priorities"),
        pytest.param(
            READY + 'inference_pool_average_queue_size{name="p"} 1.5\ninference_pool_average_running_requests{name="p"} 4\n',
            PoolLoad(waiting=3, running=8),
            id="averages times pods",
        ),
        pytest.param(
            'inference_pool_ready_pods{name="p"} 0\ninference_pool_average_running_requests{name="p"} 4\n'
            'inference_pool_average_kv_cache_utilization{name="p"} 0.9\n',
            PoolLoad(),
            id="averages of pods that are gone",
        ),
        pytest.param(
            READY + 'inference_objective_running_requests{model_name="m"} 5\ninference_pool_average_running_requests{name="p"} 1\n',
            PoolLoad(running=5),
            id="requests that no pod reports yet",
        ),
        pytest.param(READY + 'inference_pool_average_kv_cache_utilization{name="p"} 0.5\n', PoolLoad(cache=0.5), id="KV cache"),
        pytest.param(
            'inference_pool_ready_pods{name="p"} 0\ninference_pool_average_queue_size{name="p"} NaN\n'
            'inference_pool_average_kv_cache_utilization NaN\ninference_objective_running_requests{model_name="m"} 7\n',
            PoolLoad(running=7),
            id="averages of no pods, which are no numbers",
        ),
        pytest.param(
            f'{HELD}{{model_name="m"}} 4\nllm_d_epp_flow_control_queue_size{{model_name="m"}} 4\n',
            PoolLoad(held=4),
            id="llm-d has both names for the same requests",
        ),
    ],
)
def test_loads(text, load):
    assert parse_load(text) == load


@pytest.mark.parametrize(
    ("load", "active"),
    [(PoolLoad(), 0), (PoolLoad(cache=0.9), 0), (PoolLoad(held=1), 1), (PoolLoad(waiting=1), 1), (PoolLoad(running=1), 1)],
)
def test_a_pool_is_active_while_it_has_requests(load, active):
    assert load.as_object()["active"] == active


def test_values_have_the_names_of_the_triggers():
    assert PoolLoad(2, 3, 4, 0.25).as_object() == {
        "queueSize": 5,
        "runningRequests": 4,
        "kvCacheUtilization": 25,
        "active": 1,
    }


@pytest.mark.parametrize("values", [("NaN",), ("+Inf",), ("-1",), ("1e308",), ("7", "-5"), ("1e16",)], ids=" and ".join)
def test_a_value_that_is_no_load_makes_the_load_unknown(values):
    with pytest.raises(ValueError, match=f"have a {HELD} of"):
        parse_load("".join(f'{HELD}{{model_name="{number}"}} {value}\n' for number, value in enumerate(values)))


def test_what_is_no_page_of_metrics_is_an_error():
    with pytest.raises(ValueError, match="could not convert|invalid|Invalid"):
        parse_load(f"{HELD} many\n")


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf", "-1"])
@pytest.mark.parametrize(
    "name",
    [
        HELD,
        "inference_objective_running_requests",
        "inference_pool_average_queue_size",
        "inference_pool_average_running_requests",
        "inference_pool_average_kv_cache_utilization",
        "inference_pool_ready_pods",
    ],
)
def test_a_load_that_is_no_number_is_not_known_so_that_no_replica_is_removed_for_it(name, value):
    lines = (
        READY,
        'inference_objective_running_requests{model_name="m"} 7\n',
        f'{name}{{name="q"}} {value}\n',
        f'{name}{{name="r"}} 9\n',
    )
    with pytest.raises(ValueError, match=name):
        parse_load("".join(lines))
