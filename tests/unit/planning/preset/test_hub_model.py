"""A model that is not in the catalog: sized by its files at the hub, once, and remembered by its workload."""

import json
from dataclasses import replace

import pytest

from tests.model_hub import CONFIG, SIZE
from tests.unit.factories import SETTINGS, quickstart, workspace
from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.labels import MODEL_FIGURES_ANNOTATION
from workspace_ctrl.api.workspace import parse_workspace
from workspace_ctrl.catalog.hub_model import hub_model, note_of
from workspace_ctrl.catalog.model_config import read_config
from workspace_ctrl.model.hub_answers import HubAnswer
from workspace_ctrl.model.plan_decisions import LinkName, Problem
from workspace_ctrl.planning.admission.admission_verdict import Known, judge
from workspace_ctrl.planning.steps import Apply, LookUpModel, UnresolvedError
from workspace_ctrl.planning.workload.model_server import ServerRecords
from workspace_ctrl.planning.workload.server_from_spec import dependencies_of, model_server
from workspace_ctrl.records.workloads import parse_workload

MODEL = "some-lab/Model-7B"
HUB = "https://hub.example"
WITH_HUB = replace(SETTINGS, model_hub=HUB)
PRESET = {"name": MODEL}
READING = f"{MODEL} is not in the catalog; its size is read from its files at {HUB}"


def found(**config):
    return hub_model(MODEL, read_config(json.dumps({**CONFIG, **config}).encode()), SIZE, "index")


FOUND = HubAnswer(found())
GATED = HubAnswer(reason="ModelNotPublic", message="it is gated", terminal=True)


def serve(preset=PRESET, settings=WITH_HUB, **records):
    record = workspace(quickstart(inference={"preset": preset}))
    spec = parse_workspace(record.meta.ref.name, record.fields())
    return model_server(record, spec, ServerRecords(**records), settings)


def command(server):
    return server.workload["spec"]["template"]["spec"]["containers"][0]["command"]


def live(annotations):
    return (parse_workload({"metadata": {"name": "x", "namespace": "default", "annotations": annotations}}, "Deployment"),)


def test_it_is_sized_as_a_preset_is_with_the_figures_of_the_hub():
    server = serve(hub_answer=FOUND)
    assert command(server)[:3] == ["vllm", "serve", MODEL]
    assert {f"--served-model-name={MODEL}", "--max-model-len=32768", "--tensor-parallel-size=1"} <= set(command(server))
    assert server.sizing == (
        "1 x Standard_NC24ads_A100_v4: 15.3 GiB weights and 53.6 GiB KV cache on 1 x NVIDIA A100 80GB, context 32768 tokens; "
        "figures of the model hub: weights 15.0 GiB from the index, KV cache 128 KiB a token, context up to 32768 tokens "
        "(LlamaForCausalLM)"
    )
    assert (server.model_names, server.notes, server.look_up) == ((MODEL,), (), LookUpModel(MODEL, is_known=True))


def test_assumptions_and_code_of_the_repository_are_told_and_the_code_is_not_run():
    server = serve(hub_answer=HubAnswer(found(num_attention_heads=None, auto_map={"AutoModel": "x.Y"})))
    assert "--trust-remote-code" not in command(server)
    assert server.notes == (
        (
            f"{MODEL} is sized by its files at the model hub, but the KV cache is not known, so a fifth of the weights is left for it, and "
            "vLLM chooses the context; the attention heads are not known, so a power of two of GPUs is used; set inference.preset.size if "
            "you know better"
        ),
        (
            f"the repository of {MODEL} has code of its own, which is not run; if vLLM needs it, and you trust it, set "
            "trust-remote-code in the ConfigMap of inference.config"
        ),
    )


def test_a_model_that_does_not_fit_is_refused_with_the_arithmetic():
    big = hub_model(MODEL, read_config(json.dumps({**CONFIG, "num_attention_heads": 7}).encode()), 10**14, "index")
    with pytest.raises(SpecError, match=f"Standard_NC24ads_A100_v4 is too small for {MODEL}"):
        serve(hub_answer=HubAnswer(big))


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        pytest.param(None, Problem(LinkName.WORKLOAD, "SizingModel", READING, in_progress=True), id="not answered yet"),
        pytest.param(GATED, Problem(LinkName.WORKLOAD, "ModelNotPublic", "it is gated", terminal=True), id="no figures"),
    ],
)
def test_without_figures_the_hub_is_asked_and_the_condition_says_so(answer, problem):
    with pytest.raises(UnresolvedError) as caught:
        serve(hub_answer=answer)
    assert (caught.value.problem, caught.value.look_up) == (problem, LookUpModel(MODEL, is_known=False))


@pytest.mark.parametrize("answer", [None, GATED, HubAnswer(found(num_hidden_layers=4))])
@pytest.mark.parametrize("settings", [WITH_HUB, SETTINGS], ids=["hub", "no hub any more"])
def test_the_workload_keeps_the_figures_that_it_was_made_with(answer, settings):
    made = serve(hub_answer=FOUND)
    note = made.workload["metadata"]["annotations"][MODEL_FIGURES_ANNOTATION]
    assert note == note_of(FOUND.found)
    later = serve(settings=settings, hub_answer=answer, workloads=live({MODEL_FIGURES_ANNOTATION: note}))
    assert (later.workload, later.sizing, later.notes) == (made.workload, made.sizing, made.notes)
    assert later.look_up is None


def test_a_running_model_keeps_its_name_when_a_newer_catalog_has_it():
    name = "microsoft/phi-4"
    note = note_of(hub_model(name, read_config(json.dumps(CONFIG).encode()), SIZE, "index"))
    assert serve({"name": name}, workloads=live({MODEL_FIGURES_ANNOTATION: note})).model_names == (name,)
    assert serve({"name": name}).model_names == ("phi-4",)


@pytest.mark.parametrize("note", ["", "{}", "x" * 5000, note_of(found()).replace(MODEL, "some-lab/Other")])
def test_what_is_no_note_of_ours_is_not_used(note):
    with pytest.raises(UnresolvedError):
        serve(workloads=live({MODEL_FIGURES_ANNOTATION: note}))


def test_a_size_of_the_user_is_used_without_the_hub():
    server = serve(
        {**PRESET, "size": {"weights": "10Gi"}}, hub_answer=GATED, workloads=live({MODEL_FIGURES_ANNOTATION: note_of(found())})
    )
    assert "figures of the model hub" not in server.sizing
    assert server.look_up is None
    assert MODEL_FIGURES_ANNOTATION not in server.workload["metadata"].get("annotations", {})


def test_without_a_hub_a_size_is_required():
    with pytest.raises(SpecError, match=r"is not in the catalog, and its size is not set; set inference\.preset\.size"):
        serve(settings=SETTINGS)


@pytest.mark.parametrize(
    ("preset", "model"),
    [
        (PRESET, MODEL),
        ({**PRESET, "size": {"weights": "10Gi"}}, ""),
        ({"name": "phi-4"}, ""),
        ({"name": "microsoft/phi-4"}, ""),
        ({"name": "no-such-preset"}, ""),
        ({"name": "a/b/c"}, ""),
        ({"name": "../etc"}, ""),
        ({"name": "some-lab/Modèle"}, ""),
    ],
)
def test_only_ids_that_are_not_in_the_catalog_are_looked_up(preset, model):
    assert dependencies_of(parse_workspace("x", quickstart(inference={"preset": preset}))).hub_model == model


def test_admission_does_not_wait_for_the_hub_and_says_that_the_size_follows():
    verdict = judge(quickstart(inference={"preset": PRESET}), Known(), WITH_HUB)
    assert (verdict.refusals, verdict.warnings, verdict.preview) == ((), (READING,), None)


def test_a_preview_with_the_hub_s_answer_has_the_objects():
    verdict = judge(quickstart(inference={"preset": PRESET}), Known(is_all=True, models={MODEL: FOUND}), WITH_HUB)
    assert verdict.refusals == ()
    assert "figures of the model hub" in verdict.preview.decisions.sizing
    assert not [step for step in verdict.preview.planned.steps if isinstance(step, Apply) and step.force]


def test_a_preview_with_a_refusal_of_the_hub_is_refused_with_its_words():
    verdict = judge(quickstart(inference={"preset": PRESET}), Known(models={MODEL: GATED}), WITH_HUB)
    assert (verdict.refusals, verdict.preview) == (("it is gated",), None)
