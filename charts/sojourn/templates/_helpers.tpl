{{- define "sojourn.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- /* Name of the objects in the release's namespace; short enough for what is added to it. */ -}}
{{- define "sojourn.fullname" -}}
{{- $name := include "sojourn.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- /* Name of the objects without a namespace. Releases for different namespaces do not share them. */ -}}
{{- define "sojourn.clusterName" -}}
{{- if .Values.clusterScoped }}
{{- include "sojourn.fullname" . }}
{{- else }}
{{- printf "%s-%s" (include "sojourn.fullname" .) .Release.Namespace }}
{{- end }}
{{- end }}

{{- define "sojourn.serviceAccount" -}}
{{- include "sojourn.fullname" . }}
{{- end }}

{{- define "sojourn.webhookService" -}}
{{- include "sojourn.fullname" . }}-webhook
{{- end }}

{{- define "sojourn.webhookSecret" -}}
{{- include "sojourn.fullname" . }}-webhook
{{- end }}

{{- define "sojourn.approvalSecret" -}}
{{- include "sojourn.fullname" . }}-approvals
{{- end }}

{{- /* The Secret with the pair that is mounted, when the operator does not make it itself. */ -}}
{{- define "sojourn.certificateSecret" -}}
{{- .Values.webhooks.certificates.secretName | default (printf "%s-webhook-tls" (include "sojourn.fullname" .)) }}
{{- end }}

{{- define "sojourn.certificateIssuer" -}}
{{- with .Values.webhooks.certificates.issuerRef -}}
{{- toYaml . }}
{{- else -}}
kind: Issuer
name: {{ include "sojourn.fullname" . }}-webhook-ca
{{- end }}
{{- end }}

{{- /* By this annotation cert-manager writes the caBundle. */ -}}
{{- define "sojourn.injectAnnotation" -}}
{{- if eq .Values.webhooks.certificates.mode "cert-manager" -}}
annotations:
  cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/{{ include "sojourn.fullname" . }}-webhook
{{- end }}
{{- end }}

{{- define "sojourn.webhookConfiguration" -}}
{{- include "sojourn.clusterName" . }}
{{- end }}

{{- define "sojourn.operatorUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "sojourn.serviceAccount" . }}
{{- end }}

{{- /* The namespaces that are served, as JSON, when not all are. */ -}}
{{- define "sojourn.namespaces" -}}
{{- .Values.namespaces | default (list .Release.Namespace) | uniq | toJson }}
{{- end }}

{{- define "sojourn.replicas" -}}
{{- if kindIs "invalid" .Values.controllerManager.replicas }}
{{- .Values.replicas | int }}
{{- else }}
{{- .Values.controllerManager.replicas | int }}
{{- end }}
{{- end }}

{{- /* How the API server calls a webhook: called with (list . PATH). */ -}}
{{- define "sojourn.clientConfig" -}}
{{- $root := index . 0 }}
{{- $path := index . 1 }}
{{- if $root.Values.webhooks.url -}}
url: {{ printf "%s%s" (trimSuffix "/" $root.Values.webhooks.url) $path | quote }}
{{- else -}}
service:
  name: {{ include "sojourn.webhookService" $root }}
  namespace: {{ $root.Release.Namespace }}
  path: {{ $path }}
  port: 443
{{- end }}
{{- if eq $root.Values.webhooks.certificates.mode "files" }}
{{- with $root.Values.webhooks.certificates.caBundle }}
caBundle: {{ b64enc . }}
{{- end }}
{{- end }}
{{- end }}

{{- define "sojourn.namespaceSelector" -}}
matchExpressions:
  - key: kubernetes.io/metadata.name
    {{- if .Values.clusterScoped }}
    operator: NotIn
    values: {{ concat (list "kube-system" "kube-node-lease") .Values.webhooks.excludedNamespaces | uniq | toJson }}
    {{- else }}
    operator: In
    values: {{ include "sojourn.namespaces" . }}
    {{- end }}
{{- end }}

{{- /* Whether /metrics is served by https to those who may read it. */ -}}
{{- define "sojourn.metricsSecure" -}}
{{- $secure := "true" }}
{{- range concat .Values.controllerManager.manager.args .Values.extraArgs }}
{{- if regexMatch "^--?metrics-secure(=(1|t|T|true|TRUE|True))?$" . }}{{ $secure = "true" }}{{ end }}
{{- if regexMatch "^--?metrics-secure=(0|f|F|false|FALSE|False)$" . }}{{ $secure = "false" }}{{ end }}
{{- end }}
{{- $secure }}
{{- end }}

{{- define "sojourn.priorityClass" -}}
{{- if .Values.priorityClassName }}
{{- .Values.priorityClassName }}
{{- else if .Values.priorityClass.create }}
{{- include "sojourn.clusterName" . }}
{{- end }}
{{- end }}

{{- define "sojourn.selector" -}}
app.kubernetes.io/name: {{ include "sojourn.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "sojourn.labels" -}}
{{ include "sojourn.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* Labels of what comes after the operators: no Service and no policy takes its pod for one of them. */ -}}
{{- define "sojourn.releaseLabels" -}}
{{- merge (dict "app.kubernetes.io/component" "release") (include "sojourn.labels" . | fromYaml) | toYaml }}
{{- end }}

{{- /* What makes an object one that comes when the release is gone, and then goes: called with its weight. */ -}}
{{- define "sojourn.releaseHook" -}}
helm.sh/hook: post-delete
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{- /* The image beside a session. Half of a name is completed as the original's chart would. */ -}}
{{- define "sojourn.sidecarsImage" -}}
{{- $image := .Values.sidecars.image }}
{{- if or $image.repository $image.tag }}
{{- printf "%s:%s" ($image.repository | default "renku/sidecars") ($image.tag | default "latest") }}
{{- else }}
{{- printf "ghcr.io/sojourn-dev/sojourn-sidecars:%s" .Chart.AppVersion }}
{{- end }}
{{- end }}
