"""What a model server has counted: vLLM's page, and pages of others."""

from itertools import accumulate

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workspace_ctrl.load.counters import Counters, PodCount
from workspace_ctrl.load.server_figures import parse_counters

VLLM = """\
# HELP http_requests_total Total number of requests by method, status and handler.
# TYPE http_requests_total counter
http_requests_total{handler="/v1/chat/completions",method="POST",status="2xx"} 90.0
http_requests_total{handler="/v1/chat/completions",method="POST",status="5xx"} 6.0
http_requests_total{handler="/v1/completions",method="POST",status="4xx"} 4.0
http_requests_total{handler="/v1/models",method="GET",status="2xx"} 1000.0
http_requests_total{handler="/v1/models",method="GET",status="5xx"} 1000.0
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{handler="/v1/chat/completions",le="0.1",method="POST"} 1.0
http_request_duration_seconds_count{handler="/v1/chat/completions",method="POST"} 96.0
http_request_duration_seconds_sum{handler="/v1/chat/completions",method="POST"} 48.5
http_request_duration_seconds_count{handler="/v1/models",method="GET"} 2000.0
http_request_duration_seconds_sum{handler="/v1/models",method="GET"} 0.5
vllm:e2e_request_latency_seconds_count{model_name="m"} 90.0
vllm:e2e_request_latency_seconds_sum{model_name="m"} 40.0
"""


def test_requests_for_inference_are_counted_by_status():
    assert parse_counters(VLLM) == Counters({"2xx": 90, "5xx": 6, "4xx": 4}, answers=96, seconds=48.5, has_http_durations=True)


def test_the_engines_latency_stands_for_a_missing_one_of_the_server():
    page = "\n".join(line for line in VLLM.splitlines() if "duration" not in line)
    assert parse_counters(page) == Counters({"2xx": 90, "5xx": 6, "4xx": 4}, answers=90, seconds=40.0)


def growing_page(ended, answered):
    """Return what vLLM shows when so many HTTP requests have ended, in 2 s each, and its engine has answered so many, in 1 s each."""
    http = (
        f'http_requests_total{{method="POST",status="2xx"}} {ended}\n'
        f'http_request_duration_seconds_count{{method="POST"}} {ended}\nhttp_request_duration_seconds_sum{{method="POST"}} {2 * ended}\n'
    )
    return (
        "# TYPE http_requests_total counter\nprocess_start_time_seconds 1\n"
        f"vllm:e2e_request_latency_seconds_count {answered}\nvllm:e2e_request_latency_seconds_sum {answered}\n{http if ended else ''}"
    )


NUMBERS = st.lists(st.integers(0, 3), min_size=1, max_size=8)


@given(NUMBERS, NUMBERS)
@example([0, 0, 1], [0, 3, 1])
def test_a_server_whose_engine_answers_before_the_first_request_has_ended_is_one_process(ended, answered):
    readings = list(zip(accumulate(ended), accumulate(answered), strict=False))
    pages = [parse_counters(growing_page(*reading)) for reading in readings]
    pod = PodCount(pages[0], 0)
    for page in pages[1:]:
        pod = pod.read(page, 0)
    assert not pod.has_several_processes
    (first, answered_first), (last, _) = readings[0], readings[-1]
    before = [count for number, count in readings if not number]
    engine = before[-1] - answered_first if before else 0
    assert pod.counted.requests == last - first
    assert pod.counted.answers == engine + last - first
    assert pod.counted.seconds == engine + 2 * (last - first)


def test_a_server_that_was_not_asked_yet_has_counted_nothing():
    assert parse_counters("# TYPE http_requests_total counter\n") == Counters()


def test_statuses_may_be_single_codes():
    page = 'http_requests_total{method="POST",status="503"} 2\nhttp_requests_total{method="POST",status="404"} 3\n'
    assert parse_counters(page) == Counters({"503": 2, "404": 3})


def test_what_is_no_status_is_kept_once():
    page = "".join(f'http_requests_total{{method="POST",status="{status}"}} 1\n' for status in ("", "OK", "600", "20x", "2xx"))
    assert parse_counters(page) == Counters({"": 4, "2xx": 1})


@pytest.mark.parametrize(("value", "process"), [("1763722800.25", 1763722800.25), ("NaN", None), ("+Inf", None)])
def test_a_process_is_known_by_its_start(value, process):
    assert parse_counters(f"http_requests_total 7\nprocess_start_time_seconds {value}\n") == Counters({"": 7}, process=process)


@pytest.mark.parametrize(
    ("page", "words"),
    [
        pytest.param("llamacpp:requests_processing 1\n", "have no http_requests_total", id="a server without these counters"),
        pytest.param("<html>", "have no http_requests_total", id="no metrics at all"),
        pytest.param("http_requests_total{status= 1\n", "Invalid|status|label", id="not in the format"),
        pytest.param('http_requests_total{method="POST",status="2xx"} NaN\n', "counter of nan", id="not a number"),
        pytest.param('http_requests_total{method="POST",status="2xx"} +Inf\n', "counter of inf", id="endless"),
        pytest.param('http_requests_total{method="POST",status="2xx"} -1\n', "counter of -1", id="negative"),
        pytest.param(
            'http_requests_total{method="POST",status="2xx"} 1e160\n', "counter of 1e[+]160", id="more than can be counted"
        ),
        pytest.param("http_requests_total 1\nhttp_request_duration_seconds_count NaN\n", "count of nan", id="answers, no number"),
        *(
            pytest.param(
                f"http_requests_total 1\nhttp_request_duration_seconds_count 5\nhttp_request_duration_seconds_sum {text}\n",
                f"duration_seconds_sum of {text.strip('+').lower()}",
                id=f"a duration of {text}",
            )
            for text in ("NaN", "+Inf", "-1.0")
        ),
        pytest.param(
            'http_requests_total 1\nvllm:e2e_request_latency_seconds_sum{model_name="m"} NaN\n',
            "latency_seconds_sum of nan",
            id="a duration of the engine",
        ),
        pytest.param('http_requests_total{method="POST",status="2xx"} 1e308\n', "counter of 1e[+]308", id="more than there can be"),
    ],
)
def test_another_page_says_nothing(page, words):
    with pytest.raises(ValueError, match=words):
        parse_counters(page)
