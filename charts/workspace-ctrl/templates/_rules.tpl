{{- /* The rights of the controller: what workspace_ctrl/cache/watches.py watches and workspace_ctrl/controller/step_executor.py writes.
Server-side apply is `patch`, and `create` if the object does not exist. e2e/scenarios/test_install_rights.py proves that each is used and
that none is missing. */ -}}

{{- define "workspace-ctrl.rules" -}}
{{- $companion := eq (include "workspace-ctrl.companion" .) "true" }}
{{- /* Model servers are KAITO's in companion mode. */}}
{{- $workload := $companion | ternary "[list, watch]" "[list, watch, create, patch, delete]" }}
- apiGroups: [kaito.sh]
  resources: [workspaces, inferencesets]
  verbs: [list, watch, patch]
- apiGroups: [kaito.sh]
  resources: [workspaces/status, inferencesets/status]
  verbs: [patch]
# Required by the admission plugin OwnerReferencesPermissionEnforcement for blockOwnerDeletion.
- apiGroups: [kaito.sh]
  resources: [workspaces/finalizers, inferencesets/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [deployments, statefulsets]
  verbs: {{ $workload }}
- apiGroups: [""]
  resources: [services]
  verbs: {{ $workload }}
# Watched only for models on several nodes, whose pods trust each other.
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: {{ $workload }}
{{- if not $companion }}
# Watched only in namespaces with a model server of several copies. Where they are switched off, those of before are deleted.
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: {{ dig "disruptionBudget" "enabled" true .Values.modelServer | ternary "[list, watch, create, patch, delete]" "[list, watch, delete]" }}
{{- end }}
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: {{ $companion | ternary "[list, watch]" "[list, watch, create, patch]" }}
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
# Only their metadata is watched; the content is read only for `inference.config` of a Workspace.
- apiGroups: [""]
  resources: [configmaps]
  verbs: {{ $companion | ternary "[list, watch]" "[get, list, watch]" }}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- range ternary list .Values.rbac.workloadKinds $companion }}
- apiGroups: [{{ .apiGroup | quote }}]
  resources: [{{ .resource }}]
  verbs: [list, watch]
- apiGroups: [{{ .apiGroup | quote }}]
  resources: [{{ .resource }}/scale]
  verbs: [get]
{{- end }}
{{- if include "workspace-ctrl.gatewaySide" . }}
- apiGroups: [source.toolkit.fluxcd.io]
  resources: [ocirepositories]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [helm.toolkit.fluxcd.io]
  resources: [helmreleases]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [list, watch, create, patch, delete]
# Objects of the chart of pool and endpoint picker: watched, to restore deleted or edited ones; deleted, if Flux left them behind because
# its ServiceAccount was gone.
- apiGroups: [inference.networking.k8s.io]
  resources: [inferencepools]
  verbs: [list, watch, deletecollection]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [deletecollection]
- apiGroups: [""]
  resources: [services, configmaps, serviceaccounts]
  verbs: [list, watch, deletecollection]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles, rolebindings]
  verbs: [list, watch, deletecollection]
# `patch`: a rule that a user has created for the endpoint picker is taken over.
- apiGroups: [networking.istio.io]
  resources: [destinationrules]
  verbs: [list, watch, patch, deletecollection]
- apiGroups: [inference.networking.x-k8s.io]
  resources: [inferenceobjectives]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [llm-d.ai]
  resources: [inferenceobjectives]
  verbs: [list, watch, create, patch, delete]
{{- if include "workspace-ctrl.scales" . }}
- apiGroups: [keda.sh]
  resources: [scaledobjects]
  verbs: [list, watch, create, patch, delete]
{{- end }}
{{- if .Values.rbac.kthena }}
- apiGroups: [networking.serving.volcano.sh]
  resources: [modelservers]
  verbs: [list, watch, create, patch, delete]
{{- end }}
{{- end }}
{{- end }}

{{- define "workspace-ctrl.gatewayRules" -}}
- apiGroups: [gateway.networking.k8s.io]
  resources: [gateways]
  verbs: [list, watch]
{{- end }}

{{- define "workspace-ctrl.clusterRules" -}}
{{- if .Values.metrics.secure.enabled }}
# Authentication and authorization of requests to the metrics.
- apiGroups: [authentication.k8s.io]
  resources: [tokenreviews]
  verbs: [create]
- apiGroups: [authorization.k8s.io]
  resources: [subjectaccessreviews]
  verbs: [create]
{{- end }}
- apiGroups: [""]
  resources: [nodes]
  verbs: [list, watch]
{{- if and (include "workspace-ctrl.scales" .) .Values.autoscaling.prometheus }}
# Whether KEDA lives, which reads the load elsewhere. The Lease is in its namespace, whatever that is called.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [operator.keda.sh]
  verbs: [list, watch]
{{- end }}
{{- if include "workspace-ctrl.gatewaySide" . }}
- apiGroups: [gateway.networking.k8s.io]
  resources: [gatewayclasses]
  verbs: [list, watch]
# Gateways may select namespaces by label.
- apiGroups: [""]
  resources: [namespaces]
  verbs: [list, watch]
{{- end }}
{{- end }}
