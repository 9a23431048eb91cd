{{- define "router.rights" -}}
{{- $name := include "router.name" . }}
{{- $labels := include "router.labels" . }}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $name }}
  namespace: {{ .Release.Namespace }}
  labels:
    {{- $labels | nindent 4 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $name }}-sa
  namespace: {{ .Release.Namespace }}
  labels:
    {{- $labels | nindent 4 }}
rules:
  - {apiGroups: [""], resources: [pods], verbs: [get, watch, list]}
---
{{ include "router.binding" (dict "root" . "role" (printf "%s-sa" $name) "name" (printf "%s-sa" $name)) }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $name }}-non-sa
  namespace: {{ .Release.Namespace }}
  labels:
    {{- $labels | nindent 4 }}
rules:
  - apiGroups: [inference.networking.x-k8s.io, llm-d.ai]
    resources: [inferenceobjectives, inferencemodelrewrites]
    verbs: [get, watch, list]
  - apiGroups: [inference.networking.k8s.io]
    resources: [inferencepools]
    verbs: [get, watch, list]
---
{{ include "router.binding" (dict "root" . "role" (printf "%s-non-sa" $name) "name" (printf "%s-non-sa" $name)) }}
{{- if gt (int .Values.router.epp.replicas) 1 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $name }}-leader-election
  namespace: {{ .Release.Namespace }}
  labels:
    {{- $labels | nindent 4 }}
rules:
  - apiGroups: [coordination.k8s.io]
    resources: [leases]
    verbs: [get, list, watch, create, update, patch, delete]
  - {apiGroups: [""], resources: [events], verbs: [create, patch]}
---
{{ $role := printf "%s-leader-election" $name -}}
{{ include "router.binding" (dict "root" . "role" $role "name" (printf "%s-binding" $role)) }}
{{- end }}
{{- end }}

{{- define "router.binding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "router.labels" .root | nindent 4 }}
subjects:
  - {kind: ServiceAccount, name: {{ include "router.name" .root }}, namespace: {{ .root.Release.Namespace }}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ .role }}}
{{- end }}
