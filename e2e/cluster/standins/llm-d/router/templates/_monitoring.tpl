{{- define "router.monitoring" -}}
{{- $name := include "router.name" . }}
{{- $labels := include "router.labels" . }}
{{- $prometheus := .Values.router.monitoring.prometheus }}
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ include "router.clusterName" . }}
  labels:
    {{- $labels | nindent 4 }}
rules:
  - {apiGroups: [authentication.k8s.io], resources: [tokenreviews], verbs: [create]}
  - {apiGroups: [authorization.k8s.io], resources: [subjectaccessreviews], verbs: [create]}
  - {nonResourceURLs: [/metrics], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ include "router.clusterName" . }}
  labels:
    {{- $labels | nindent 4 }}
subjects:
  - {kind: ServiceAccount, name: {{ $name }}, namespace: {{ .Release.Namespace }}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {{ include "router.clusterName" . }}}
{{- if include "router.serviceMonitor" . }}
{{- if $prometheus.auth.enabled }}
---
apiVersion: v1
kind: Secret
metadata:
  name: {{ $prometheus.auth.secretName }}
  namespace: {{ .Release.Namespace }}
  labels:
    {{- $labels | nindent 4 }}
  annotations:
    kubernetes.io/service-account.name: {{ $name }}
type: kubernetes.io/service-account-token
{{- end }}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {{ $name }}-monitor
  namespace: {{ .Release.Namespace }}
  labels:
    {{- $labels | nindent 4 }}
    {{- with $prometheus.extraLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  jobLabel: {{ $name }}
  endpoints:
    - port: http-metrics
      path: /metrics
      interval: {{ .Values.router.monitoring.interval }}
      {{- if $prometheus.auth.enabled }}
      authorization: {credentials: {key: token, name: {{ $prometheus.auth.secretName }}}}
      {{- end }}
  selector:
    matchLabels:
      {{- $labels | nindent 6 }}
{{- else if include "router.gmp" . }}
{{- if $prometheus.auth.enabled }}
{{- $reader := printf "%s-metrics-reader" .Release.Name }}
{{- $cluster := printf "%s-%s" .Release.Namespace $reader }}
{{- $collector := ternary "gke-gmp-system" "gmp-system" .Values.router.monitoring.provider.gmp.autopilot }}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: {{ $reader }}-sa, namespace: {{ .Release.Namespace }}}
---
apiVersion: v1
kind: Secret
metadata:
  name: {{ $reader }}-secret
  namespace: {{ .Release.Namespace }}
  annotations:
    kubernetes.io/service-account.name: {{ $reader }}-sa
type: kubernetes.io/service-account-token
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: {{ $cluster }}}
rules:
  - {nonResourceURLs: [/metrics], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: {{ $cluster }}-role-binding}
subjects:
  - {kind: ServiceAccount, name: {{ $reader }}-sa, namespace: {{ .Release.Namespace }}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {{ $cluster }}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: {{ $reader }}-secret-read, namespace: {{ .Release.Namespace }}}
rules:
  - {apiGroups: [""], resources: [secrets], resourceNames: [{{ $reader }}-secret], verbs: [get, list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: "{{ $collector }}:collector:{{ $cluster }}-secret-read", namespace: {{ .Release.Namespace }}}
subjects:
  - {kind: ServiceAccount, name: collector, namespace: {{ $collector }}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ $reader }}-secret-read}
{{- end }}
---
apiVersion: monitoring.googleapis.com/v1
kind: PodMonitoring
metadata:
  name: {{ .Release.Name }}
  namespace: {{ .Release.Namespace }}
  labels:
    {{- $labels | nindent 4 }}
spec:
  endpoints:
    - {port: metrics, path: /metrics, scheme: http, interval: {{ .Values.router.monitoring.interval }}}
  selector:
    matchLabels:
      {{- include "router.selectorLabels" . | nindent 6 }}
{{- end }}
{{- end }}
