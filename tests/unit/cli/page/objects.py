"""Objects as the API server sends them, for tests of the page."""

TIME = "2026-11-28T01:00:00Z"
LATER = "2026-11-28T01:30:00Z"
LINKS = ("WorkloadAccepted", "ResourceReady", "InferenceReady", "ChartReady", "EndpointPickerReady")
BEHIND = ("RouteReady", "EndpointsReady", "GatewayReady")


def said(type_, status="True", reason="Because", message="so it is", time=TIME):
    names = {"type": type_, "status": status, "reason": reason, "message": message}
    return {**names, "lastTransitionTime": time, "observedGeneration": 1}


def conditions(*changed):
    whole = {type_: said(type_) for type_ in ("Ready", *LINKS, *BEHIND)}
    return [*(whole | {entry["type"]: entry for entry in changed}).values()]


def workspace(*changed, name="phi", metadata=None, **status):
    gateway = {"url": "http://gw/ns/phi", "modelNames": ["phi-4"], "gateways": ["ns/gw"], "pool": "phi-inferencepool"}
    return {
        "apiVersion": "kaito.sh/v1beta1",
        "metadata": {"namespace": "ns", "name": name, "generation": 1, "creationTimestamp": TIME, **(metadata or {})},
        "status": {
            "observedGeneration": 1,
            "workload": {"kind": "Deployment", "name": name, "replicas": 2, "readyReplicas": 1},
            "gateway": gateway,
            "conditions": conditions(*changed),
            **status,
        },
    }


BROKEN = (
    said("Ready", "False", "EndpointPickerScaledToZero", "0 replicas", LATER),
    said("EndpointPickerReady", "False", "EndpointPickerScaledToZero", "0 replicas", LATER),
    said("GatewayReady", "False", "EndpointPickerScaledToZero", "0 replicas", LATER),
)
STARTING = (
    said("Ready", "False", "EndpointPickerStarting", "0 of 1"),
    said("Reconciling", "True", "EndpointPickerStarting"),
    said("EndpointPickerReady", "Unknown", "EndpointPickerStarting", "0 of 1"),
)


def gateway(*changed, listener=(), addresses=("10.0.0.1",)):
    whole = {type_: said(type_, message="ok") for type_ in ("Accepted", "Programmed")}
    return {
        "metadata": {"namespace": "ns", "name": "gw", "generation": 1, "creationTimestamp": TIME},
        "spec": {"gatewayClassName": "istio", "listeners": [{"name": "http", "protocol": "HTTP", "port": 80}]},
        "status": {
            "addresses": [{"value": address} for address in addresses],
            "conditions": [*(whole | {entry["type"]: entry for entry in changed}).values()],
            "listeners": [{"name": "http", "conditions": [*listener]}],
        },
    }
