"""The model names that requests can use; that of the base model is first."""

from collections.abc import Sequence

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.workspace import Workspace
from workspace_ctrl.model.probe_results import MOST_NAMES, is_model_name
from workspace_ctrl.planning.workload.argument_names import NAMES_FLAG
from workspace_ctrl.planning.workload.model_server import ModelServer

_MOST_SHOWN = 10


def model_names(spec: Workspace, server: ModelServer, served: Sequence[str]) -> tuple[str, ...]:
    """Return the names: the user's, else those with which `server` is started, else the `served` ones, else those in the pod template.

    `served` are those that the model server reports. They are kept while it fails, so that its routes do not change each time. Only valid
    HTTP header values of them are used.
    """
    reported = tuple(dict.fromkeys(filter(is_model_name, served)))[:MOST_NAMES]
    return _with_wanted(spec, server.model_names or reported or _in_arguments(spec, server))


def names_in_spec(spec: Workspace, server: ModelServer) -> tuple[str, ...]:
    """Return the same names without those that only the model server reports: it could report the names of other tenants' models."""
    return _with_wanted(spec, server.model_names or _in_arguments(spec, server))


def _in_arguments(spec: Workspace, server: ModelServer) -> tuple[str, ...]:
    """Return the names in the pod template; adapters follow a name of the model itself, because the first name is the model's."""
    told = server.arguments
    return (*told.served, *told.adapters)[:MOST_NAMES] if told.served or _wanted(spec) else ()


def _with_wanted(spec: Workspace, found: tuple[str, ...]) -> tuple[str, ...]:
    """Return `found` with the user's name in front, and with the aliases that it lacks."""
    return tuple(dict.fromkeys((*_wanted(spec), *found, *spec.aliases)))


def _wanted(spec: Workspace) -> tuple[str, ...]:
    wanted = spec.gateway.model_name if spec.gateway is not None else None
    return (wanted,) if wanted else ()


def unserved_names(spec: Workspace, server: ModelServer, served: Sequence[str]) -> str:
    """Return that the model server does not serve some of the names in `gateway`, as a warning; empty if it does, or if that is not known.

    `served` are the names that it has reported; whether gateway.modelName is among these is a condition, and no warning.
    """
    told = server.arguments
    in_arguments = (*told.served, *told.adapters) if told.served and told.are_all else ()
    names = server.model_names or tuple(served) or in_arguments
    asked = {"gateway.modelName": () if served else _wanted(spec), "gateway.aliases": spec.aliases}
    missing = {field: [name for name in given if name not in names] for field, given in asked.items()}
    lacking = [field for field, given in missing.items() if given]
    if not names or not lacking:
        return ""
    unserved = ", ".join(name for field in lacking for name in missing[field])
    text = f"{' and '.join(lacking)}: the model server does not serve {unserved}, but {', '.join(names[:_MOST_SHOWN])}"
    return f"{text}; start it with these names (vLLM: {NAMES_FLAG}), or have an InferenceModelRewrite of its pool replace them"


def check_model_name(spec: Workspace, known: Sequence[str]) -> None:
    """Check the user's name against the names that the model server is started with.

    Raises:
        SpecError: the model server would not serve it.
    """
    for wanted in _wanted(spec):
        if known and wanted not in known:
            raise SpecError(
                "gateway.modelName", f"is not a name of this model ({', '.join(known)})", "remove it, or use one of these names"
            )
