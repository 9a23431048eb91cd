{{- /* Parts of the policies for the controller's own user, in controllerpolicy.yaml. */ -}}

{{- /* The metadata of a policy and of its binding: (list context suffix). */ -}}
{{- define "workspace-ctrl.policyMetadata" -}}
name: {{ include "workspace-ctrl.policyName" . }}
labels: {{- include "workspace-ctrl.labels" (first .) | nindent 2 }}
{{- end }}

{{- define "workspace-ctrl.policyName" -}}
{{ (first .).Release.Namespace }}-{{ include "workspace-ctrl.fullname" (first .) }}-{{ last . }}
{{- end }}

{{- define "workspace-ctrl.policyBinding" -}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{- include "workspace-ctrl.policyMetadata" . | nindent 2 }}
spec:
  policyName: {{ include "workspace-ctrl.policyName" . }}
  validationActions: [Deny]
{{- end }}

{{- define "workspace-ctrl.onlyTheController" -}}
- name: only-the-controller
  expression: request.userInfo.username == "system:serviceaccount:{{ .Release.Namespace }}:{{ include "workspace-ctrl.serviceAccount" . | trim }}"
{{- end }}

{{- /* Whether a write leaves a field of the spec as it was: what others have set there is theirs, and does not stop the controller. */ -}}
{{- define "workspace-ctrl.isKept" -}}
(request.operation == "UPDATE" && object.spec.?{{ . }} == oldObject.spec.?{{ . }})
{{- end }}

{{- /* Whether an update leaves the whole spec as it is, as the adoption of an object does. */ -}}
{{- define "workspace-ctrl.isSpecKept" -}}
(request.operation == "UPDATE" && object.spec == oldObject.spec)
{{- end }}

{{- /* Whether an owner is a Workspace or an InferenceSet. */ -}}
{{- define "workspace-ctrl.isWorkspace" -}}
({{ . }}.kind in ["Workspace", "InferenceSet"] && {{ . }}.apiVersion.startsWith("kaito.sh/"))
{{- end }}

{{- /* The only patch of ClusterRoles and their bindings, as CEL's text of a regular expression; workspace_ctrl/planning/chart/post_renderers.py makes it. */ -}}
{{- define "workspace-ctrl.namespaceAsOwner" -}}
r'^\[\{"op": "add", "path": "/metadata/ownerReferences", "value": \[\{"apiVersion": "v1", "kind": "Namespace", "name": "[a-z0-9-]+", "uid": "[a-z0-9-]+"\}\]\}\]$'
{{- end }}

{{- /* Whether a write is of a route of the list of models, before and after it. */ -}}
{{- define "workspace-ctrl.isIndexRoute" -}}
{{- $name := include "workspace-ctrl.modelIndexName" . | quote -}}
request.resource.resource == "httproutes" && {{ quote .Release.Namespace }} == request.namespace &&
[variables.before, variables.after].all(route,
route.metadata.?labels.orValue({})[?"workspace-ctrl/model-index"].orValue("") == {{ $name }} &&
route.metadata.?ownerReferences.orValue([]).all(owner, owner.apiVersion == "v1" && owner.kind == "Service" && owner.name == {{ $name }})) &&
variables.after.metadata.?ownerReferences.orValue([]).size() == 1 &&
variables.after.spec.?rules.orValue([]).all(rule,
rule.?matches.orValue([]).size() == 1 && rule.matches[0].?path.?value.orValue("") == "/" &&
rule.?filters.orValue([]).all(filter, filter.type == "RequestHeaderModifier") &&
rule.?backendRefs.orValue([]).all(backend,
backend.?kind.orValue("Service") == "Service" && backend.name == {{ $name }} &&
backend.?namespace.orValue({{ quote .Release.Namespace }}) == {{ quote .Release.Namespace }}))
{{- end }}

{{- /* The digests that an OCIRepository of a source may have: that of the source, else those for Workspaces, or none. */ -}}
{{- define "workspace-ctrl.digests" -}}
{{- $allowed := values (.allowedDigests | default dict) | uniq | sortAlpha }}
{{- ternary (list .digest) (prepend $allowed "") (not (empty .digest)) | toJson }}
{{- end }}

{{- /* Whether an OCIRepository is one of the charts in the values, with the same Secrets, digest and verification. */ -}}
{{- define "workspace-ctrl.isListedChart" -}}
{{- $published := "oci://registry.k8s.io/gateway-api-inference-extension/charts" }}
{{- $sources := list }}
{{- range .Values.chartSources | default (list dict) }}
{{- $sources = append $sources (merge dict . (dict "url" (print $published "/inferencepool"))) }}
{{- end }}
{{- if eq (toString .Values.bodyBasedRouting.mode) "managed" }}
{{- $chart := .Values.bodyBasedRouting.chart | default dict }}
{{- $sources = append $sources (merge dict $chart (dict "url" (print $published "/body-based-routing"))) }}
{{- end }}
{{- range $index, $source := $sources }}
{{- if $index }} ||
{{ end }}(object.spec.url == {{ quote .url }} &&
object.spec.?insecure.orValue(false) == {{ .insecure | default false }} &&
object.spec.?secretRef.?name.orValue("") == {{ dig "secretRef" "name" "" . | quote }} &&
object.spec.?certSecretRef.?name.orValue("") == {{ dig "certSecretRef" "name" "" . | quote }} &&
object.spec.?verify.?provider.orValue("") == {{ dig "verify" "provider" "" . | quote }} &&
object.spec.?verify.?secretRef.?name.orValue("") == {{ dig "verify" "secretRef" "name" "" . | quote }} &&
object.spec.?ref.?digest.orValue("") in {{ include "workspace-ctrl.digests" . }})
{{- end }}
{{- end }}
