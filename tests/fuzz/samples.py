"""Valid documents from which the inputs are made, and fragments of texts."""

from typing import Any

from workspace_ctrl.api.conditions import Condition
from workspace_ctrl.records.meta import ObjectRef

REF = ObjectRef("Deployment", "default", "phi")
_METADATA = {
    "name": "phi",
    "namespace": "default",
    "uid": "u",
    "resourceVersion": "5",
    "generation": 2,
    "creationTimestamp": "2026-11-21T12:00:00Z",
    "labels": {"kaito.sh/workspace": "phi", "gateway.networking.k8s.io/gateway-name": "main"},
    "annotations": {"workspace-ctrl/applied-hash": "h", "reconcile.fluxcd.io/requestedAt": "now", "kaito.sh/runtime": "vllm"},
    "finalizers": ["workspace-ctrl/gateway"],
    "ownerReferences": [{"uid": "o", "kind": "Workspace", "controller": True}],
}
MANAGED_FIELDS = [
    {
        "manager": "workspace-ctrl",
        "operation": "Apply",
        "fieldsV1": {"f:metadata": {"f:labels": {"f:a": {}}}, "f:spec": {"f:replicas": {}}},
    },
    {"manager": "helm-controller", "operation": "Update", "fieldsV1": {"f:spec": {".": {}, 'k:{"name":"x"}': {"f:image": {}}}}},
    {"manager": "kube-controller-manager", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {}}},
]
MANIFEST: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "phi", "namespace": "default", "labels": {"a": "b"}},
    "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "x", "image": "y", "ports": [{"containerPort": 1}]}]}}},
}
_CONDITIONS = [
    {"type": "Ready", "status": "False", "reason": "InstallFailed", "message": "no such image", "observedGeneration": 2},
    {"type": "Released", "status": "False", "reason": "UpgradeFailed", "message": "timed out", "observedGeneration": 2},
    {"type": "Stalled", "status": "True", "reason": "RetriesExceeded", "message": "gave up", "observedGeneration": 2},
]
QUICKSTART: dict[str, Any] = {
    "apiVersion": "kaito.sh/v1beta1",
    "kind": "Workspace",
    "metadata": {**_METADATA, "managedFields": MANAGED_FIELDS},
    "resource": {
        "count": 1,
        "instanceType": "Standard_NC24ads_A100_v4",
        "labelSelector": {"matchLabels": {"apps": "phi"}, "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]},
        "preferredNodes": ["n"],
    },
    "inference": {
        "preset": {"name": "phi-4-mini-instruct"},
        "adapters": [{"source": {"name": "a", "image": "i"}, "strength": "1.0"}],
    },
    "status": {
        "observedGeneration": 2,
        "workerNodes": ["n"],
        "workload": {"kind": "Deployment", "name": "phi"},
        "gateway": {"url": "http://x/default/phi", "lastProbe": {"outcome": "Answered", "code": 200}, "chart": {"name": "c"}},
        "conditions": _CONDITIONS,
    },
}
_POD = {
    "containers": [
        {
            "name": "server",
            "image": "i",
            "ports": [{"name": "http", "containerPort": 8000}],
            "resources": {"limits": {"nvidia.com/gpu": 1}},
        }
    ],
    "affinity": {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": []}]}}
    },
}
PICKERS = [
    {
        "replicas": 2,
        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
        "values": {
            "inferenceExtension": {"env": [{"name": "A", "value": "b"}], "affinity": {}, "tolerations": [], "flags": {"v": 4}}
        },
    },
    {
        "values": {
            "inferenceExtension": {
                "pluginsConfigFile": "a.yaml",
                "pluginsCustomConfig": {"a.yaml": "plugins: []\n"},
                "sidecar": {"enabled": True},
                "resources": {"requests": {"cpu": 1}},
            }
        }
    },
]
WORKSPACES = [
    QUICKSTART,
    {**QUICKSTART, "inference": {"template": {"metadata": {"labels": {"a": "b"}}, "spec": _POD}}},
    {
        **QUICKSTART,
        "inference": {
            "workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x", "selector": {"a": "b"}, "targetPort": 1}
        },
        "gateway": {
            "parentRefs": [{"name": "main", "namespace": "gateways", "sectionName": "https"}],
            "path": "/models/phi",
            "hostnames": ["phi.example"],
            "modelName": "phi",
            "match": {"header": {"name": "x-model", "value": "phi"}},
            "timeout": "300s",
            "pool": {"failureMode": "FailOpen"},
            "chart": {"name": "default", "version": "v1.5.0"},
            "objectives": [{"name": "interactive", "priority": 5}],
            "endpointPicker": PICKERS[0],
        },
    },
    {
        **QUICKSTART,
        "inference": {
            "preset": {
                "name": "org/model",
                "size": {"weights": "15Gi", "kvCachePerToken": "1Ki"},
                "presetOptions": {"modelAccessSecret": "s"},
            },
            "config": "settings",
            "weightsVolume": {"size": "10Gi"},
        },
    },
]
INFERENCE_SETS = [
    {
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "InferenceSet",
        "metadata": each["metadata"],
        "spec": {
            "replicas": 2,
            "nodeCountLimit": 3,
            "labelSelector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}, "annotations": {"kaito.sh/runtime": "vllm"}},
                "resource": {"instanceType": "Standard_NC24ads_A100_v4"},
                "inference": each["inference"],
            },
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "partition": 1}},
            "autoUpgrade": {"enabled": True, "maintenanceWindow": {"schedule": "0 2 * * 6"}},
            "gateway": each.get("gateway", {}),
        },
    }
    for each in WORKSPACES
    if "inference" in each
]
SETTINGS = [
    {
        "featureGates": {"gatewayAPIInferenceExtension": True},
        "gateway": {"name": "main", "namespace": "gateways"},
        "chartSources": [{"name": "default", "url": "oci://registry.example/charts/inferencepool", "version": "v1.5.0"}],
        "endpointPicker": {
            "replicas": 2,
            "values": {"inferenceExtension": {"flags": {"v": 1}}},
            "allowedValues": ["inferenceExtension.env"],
        },
        "modelServer": {"image": "registry.example/vllm:v1"},
        "timeout": "600s",
        "probe": {"mode": "models", "interval": 60, "secret": {"namespace": "x", "name": "y"}},
        "bodyBasedRouting": {"mode": "off"},
    }
]
FLUX = [
    {
        "metadata": {**_METADATA, "managedFields": MANAGED_FIELDS},
        "spec": {"suspend": False},
        "status": {
            "observedGeneration": 2,
            "artifact": {"revision": "v1.5.0@sha256:a"},
            "conditions": [{"type": "Ready", "status": "True", "reason": "Succeeded", "message": "m", "observedGeneration": 2}],
            "lastAttemptedGeneration": 2,
            "lastAttemptedRevision": "1.5.0+a",
            "lastAttemptedRevisionDigest": "sha256:a",
            "lastAttemptedConfigDigest": "sha256:c",
            "lastHandledReconcileAt": "before",
            "failures": 1,
            "history": [{"status": "deployed", "chartName": "c", "chartVersion": "1.5.0+a", "configDigest": "sha256:c"}],
            "inventory": {"entries": [{"id": "default_phi-epp_apps_Deployment", "v": "v1"}]},
        },
    }
]
OBJECTS = [
    QUICKSTART,
    *FLUX,
    {
        "metadata": {**_METADATA, "managedFields": MANAGED_FIELDS},
        "spec": {"replicas": 1, "template": {"spec": _POD}, "selector": {"matchLabels": {"a": "b"}}, "nodeName": "n"},
        "status": {
            "phase": "Failed",
            "reason": "Evicted",
            "message": "m",
            "observedGeneration": 2,
            "readyReplicas": 1,
            "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no node"},
                *_CONDITIONS,
            ],
            "containerStatuses": [
                {
                    "name": "c",
                    "restartCount": 3,
                    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
                    "lastState": {"terminated": {"exitCode": 1, "message": "Traceback\nValueError: x", "reason": "Error"}},
                }
            ],
        },
    },
    {
        "metadata": _METADATA,
        "spec": {
            "gatewayClassName": "istio",
            "controllerName": "istio.io/gateway-controller",
            "clusterIP": "10.0.0.1",
            "ports": [{"port": 80}],
            "listeners": [
                {
                    "name": "https",
                    "port": 443,
                    "protocol": "HTTPS",
                    "hostname": "*.example",
                    "allowedRoutes": {
                        "namespaces": {"from": "Selector", "selector": {"matchLabels": {"a": "b"}}},
                        "kinds": [{"kind": "HTTPRoute"}],
                    },
                }
            ],
            "parentRefs": [{"name": "main"}],
            "hostnames": ["x.example"],
            "rules": [
                {
                    "matches": [{"path": {"type": "PathPrefix", "value": "/"}, "headers": [{"name": "a", "value": "b"}]}],
                    "backendRefs": [{"name": "p"}],
                }
            ],
            "selector": {"matchLabels": {"a": "b"}},
            "targetPorts": [{"number": 5000}],
        },
        "status": {
            "addresses": [{"type": "IPAddress", "value": "10.0.0.1"}],
            "listeners": [
                {"name": "https", "attachedRoutes": 1, "conditions": _CONDITIONS, "supportedKinds": [{"kind": "HTTPRoute"}]}
            ],
            "parents": [{"parentRef": {"name": "main"}, "controllerName": "c", "conditions": _CONDITIONS}],
            "conditions": _CONDITIONS,
        },
    },
]
SELECTOR = {
    "matchLabels": {"app": "x", "b": "c"},
    "matchExpressions": [{"key": "a", "operator": "In", "values": ["b", "c"]}, {"key": "d", "operator": "Exists"}],
}
RENDERED = [
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "chart-check-a-inferencepool-epp", "namespace": "namespace-a", "labels": {"a": "b"}},
        "spec": {"replicas": 2, "template": {"spec": _POD}},
    },
    {
        "apiVersion": "inference.networking.k8s.io/v1",
        "kind": "InferencePool",
        "metadata": {"name": "chart-check-a-inferencepool"},
        "spec": {
            "selector": {"matchLabels": {}},
            "targetPorts": [{"number": 5000}],
            "endpointPickerRef": {"name": "x", "port": {"number": 9002}},
        },
    },
]
MODELS = {"object": "list", "data": [{"id": "phi", "object": "model"}, {"id": "adapter", "parent": "phi"}]}
MODEL_CONFIGS = [
    {
        "architectures": ["DeepseekV3ForCausalLM"],
        "auto_map": {"AutoConfig": "configuration_deepseek.DeepseekV3Config"},
        "model_type": "deepseek_v32",
        "hidden_size": 7168,
        "index_head_dim": 128,
        "kv_lora_rank": 512,
        "max_position_embeddings": 163840,
        "num_attention_heads": 128,
        "num_hidden_layers": 61,
        "qk_nope_head_dim": 128,
        "qk_rope_head_dim": 64,
        "quantization_config": {"quant_method": "fp8"},
    },
    {
        "architectures": ["Gemma4ForConditionalGeneration"],
        "model_type": "gemma4",
        "text_config": {
            "model_type": "gemma4_text",
            "dtype": "float32",
            "global_head_dim": 512,
            "head_dim": 256,
            "layer_types": ["sliding_attention", "linear_attention", "full_attention"],
            "max_position_embeddings": 262144,
            "num_attention_heads": 32,
            "num_global_key_value_heads": 4,
            "num_hidden_layers": 3,
            "num_key_value_heads": [16, 16, 4],
            "sliding_window": 1024,
        },
    },
    {
        "architectures": ["NemotronHForCausalLM"],
        "model_type": "falcon",
        "attn_type_list": [0, 1],
        "hybrid_override_pattern": "M-*",
        "linear_attn_config": {"kda_layers": [1, 2]},
        "multi_query": True,
        "multi_query_attention": True,
        "multi_query_group_num": 2,
        "n_embd": 768,
        "n_head": 12,
        "n_layer": 12,
        "n_positions": 1024,
    },
    {
        "metadata": {"total_size": 16060522496, "total_parameters": 8030261248},
        "weight_map": {"a": "model-00001-of-00004.safetensors"},
    },
]
REVIEW = {
    "kind": "AdmissionReview",
    "apiVersion": "admission.k8s.io/v1",
    "request": {"uid": "u-1", "operation": "UPDATE", "object": QUICKSTART, "oldObject": {"metadata": {}}},
}
METRICS_FRAGMENTS = (
    "http_requests_total",
    "http_request_duration_seconds_sum",
    "http_request_duration_seconds_count",
    "inference_pool_ready_pods",
    "inference_pool_average_queue_size",
    "llm_d_epp_flow_control_queue_size",
    '{method="POST",status="5xx"}',
    '{a="\\\\"}',
    "{",
    "}",
    ",",
    '"',
    "\\",
    "=",
    " ",
    "\n",
    " 1\n",
    " NaN\n",
    " 1e308\n",
    " -1\n",
    " +Inf\n",
    "# TYPE",
    "\u2028",
)
YAML_FRAGMENTS = (
    *(
        "vllm:\n",
        "  max-model-len: 4096\n",
        "  - a\n",
        "a: ",
        "b: &x ",
        "*x",
        "<<: *x\n",
        "? ",
        "!!python/object ",
        "!!binary ",
        "!a ",
    ),
    *(
        "{",
        "}",
        "[",
        "]",
        ",",
        ": ",
        "- ",
        "\n",
        "  ",
        "---\n",
        "...\n",
        "# c\n",
        "|\n",
        ">-\n",
        "'",
        '"',
        "\\",
        "%YAML 1.1\n",
        "\t",
    ),
    *(
        "1:2:3",
        "0x1F",
        "1_000",
        ".inf",
        ".nan",
        "1e999",
        "=",
        "~",
        "yes",
        "2020-01-01",
        "\ufeff",
        "\x85",
        "\\ud800",
        "0o7",
        "-0",
        "{a: b}",
    ),
)
HTTP_FRAGMENTS = (
    *(
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 404 Not Found\r\n",
        "HTTP/1.1 103 Early Hints\r\n\r\n",
        "HTTP/1.0 301 Moved\r\n",
        "HTTP/2 200\r\n",
    ),
    *(
        "Content-Length: 5\r\n",
        "Content-Length: -1\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Content-Encoding: gzip\r\n",
        "X: y\r\n",
    ),
    *(
        "Location: http://169.254.169.254/\r\n",
        "Set-Cookie: a=b\r\n",
        "Connection: upgrade\r\n",
        "\r\n",
        "\n",
        "5\r\nabcde\r\n",
        "0\r\n\r\n",
    ),
    *("ffffffffffffffff\r\n", '{"data": [{"id": "phi"}]}', ": ", ";ext=1", "\x00", "HTTP/1.1 999 \x1b[2J\r\n"),
)
WORLDS = [
    {
        "Workspace": each,
        "OCIRepository": FLUX[0],
        "HelmRelease": FLUX[0],
        "InferencePool": OBJECTS[3],
        "HTTPRoute": OBJECTS[3],
        "Pod": OBJECTS[2],
        "Gateway": {**OBJECTS[3], "metadata": {"name": "main", "namespace": "default"}},
        "GatewayClass": OBJECTS[3],
    }
    for each in WORKSPACES
]


CONDITION = Condition("GatewayReady", "True", "GatewayConfigured", "so it is", 1, "2026-11-27T12:00:00Z")
COMPANIONS = [
    {
        "metadata": {
            "name": "phi",
            "namespace": "default",
            "uid": "u",
            "annotations": {
                "workspace-ctrl/gateway": "match: {path: /default/a}\nendpointPicker: {replicas: 2}",
                "workspace-ctrl/status": '{"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]}',
            },
        },
        "inference": {"preset": {"name": "some-org/some-model"}, "template": {}},
        "spec": {"template": {"inference": {"preset": {"name": "some-org/some-model"}}}},
        "status": {
            "conditions": [CONDITION.as_object(), {"type": "Ready", "status": "True"}, {"type": "NodesReady"}],
            "state": "Ready",
        },
    }
]
"""A Workspace and an InferenceSet of KAITO in one."""
