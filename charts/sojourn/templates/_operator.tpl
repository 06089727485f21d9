{{- /* The operator as a container: what it is told, and what it may do. Whatever acts in its place is told the same. */ -}}
{{- define "sojourn.image" -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}

{{- define "sojourn.arguments" -}}
{{- range .Values.controllerManager.manager.args }}
- {{ . | quote }}
{{- end }}
- --webhook-bind-address=:{{ .Values.webhooks.port }}
- --webhook-secret={{ include "sojourn.webhookSecret" . }}
- --ingress-conflicts={{ .Values.ingress.conflicts }}
- --approval-secret={{ include "sojourn.approvalSecret" . }}
- --webhook-configuration={{ include "sojourn.webhookConfiguration" . }}
{{- if ne .Values.webhooks.certificates.mode "self" }}
- --webhook-certificates=files
- --operator-secret={{ include "sojourn.certificateSecret" . }}
{{- if and (eq .Values.webhooks.certificates.mode "cert-manager") (not .Values.webhooks.certificates.issuerRef) }}
- --operator-secret={{ include "sojourn.fullname" . }}-webhook-ca
{{- end }}
{{- end }}
{{- with include "sojourn.clientAuthorityVolume" . }}
- --webhook-client-ca=/etc/sojourn/webhook-clients/ca.crt
{{- end }}
{{- with .Values.webhooks.url }}
- {{ printf "--webhook-url=%s" . | quote }}
{{- else }}
- --webhook-service={{ .Release.Namespace }}/{{ include "sojourn.webhookService" . }}
{{- end }}
- --ide-log-directory=/var/lib/sojourn/ide-logs
- --pod-security={{ .Values.sessions.podSecurity }}
- --non-interactive-on-deadline={{ .Values.nonInteractive.onDeadline }}
{{- with .Values.oauth2Proxy.image }}
- {{ printf "--oauth2-proxy-image=%s" . | quote }}
{{- end }}
{{- range .Values.webhooks.trustedUsers }}
- {{ printf "--trusted-user=%s" . | quote }}
{{- end }}
{{- if and (not .Values.clusterScoped) .Values.namespaces }}
- --namespaces={{ join "," .Values.namespaces }}
{{- end }}
{{- with .Values.ide.endpointSecret }}
- --ide-endpoint-secret={{ . }}
{{- end }}
{{- with .Values.ide.endpointNamespaces }}
- --ide-endpoint-namespaces={{ join "," . }}
{{- end }}
{{- range .Values.ide.allowedNetworks }}
- --ide-allow-network={{ . }}
{{- end }}
{{- range .Values.ide.allowedSuffixes }}
- --ide-allow-suffix={{ . }}
{{- end }}
{{- if .Values.ide.plainText }}
- --ide-plain-text
{{- end }}
- --ide-sessions-per-endpoint={{ .Values.ide.sessionsPerEndpoint }}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}

{{- /* The volume with the authority of the API server's client certificate; nothing if there is none. */ -}}
{{- define "sojourn.clientAuthorityVolume" -}}
{{- with .Values.webhooks.clientAuthority }}
{{- if and .configMapName .secretName }}
{{- fail "webhooks.clientAuthority: configMapName or secretName, not both" }}
{{- end }}
{{- $items := list (dict "key" .key "path" "ca.crt") }}
{{- if .configMapName }}
{{- toYaml (dict "configMap" (dict "name" .configMapName "items" $items)) }}
{{- else if .secretName }}
{{- toYaml (dict "secret" (dict "secretName" .secretName "items" $items)) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "sojourn.environment" -}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- {name: SERVICE_ACCOUNT, value: {{ include "sojourn.serviceAccount" . }}}
- {name: RELEASE_NAMESPACE, value: {{ .Release.Namespace }}}
- {name: CLUSTER_SCOPED, value: {{ .Values.clusterScoped | quote }}}
- {name: KUBERNETES_CLUSTER_DOMAIN, value: {{ .Values.kubernetesClusterDomain | quote }}}
- {name: RCLONE_STORAGE_CLASS, value: {{ .Values.rcloneStorageClass | quote }}}
- {name: SIDECARS_IMAGE, value: {{ include "sojourn.sidecarsImage" . | quote }}}
- {name: USE_NONE_SAME_SITE_SESSION_COOKIE, value: {{ .Values.useNoneSameSiteSessionCookie | quote }}}
- {name: HTTPS_SESSION_INGRESS, value: {{ .Values.httpsSessionIngress | quote }}}
{{- with .Values.imageRewriteRules }}
- {name: AMALTHEA_IMAGE_REWRITE_RULES, value: {{ toJson . | quote }}}
{{- end }}
{{- end }}

{{- define "sojourn.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "sojourn.containerSecurityContext" -}}
{{- $restricted := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) }}
{{- merge (deepCopy .Values.controllerManager.manager.containerSecurityContext) $restricted | toYaml }}
{{- end }}

{{- define "sojourn.resources" -}}
{{- .Values.controllerManager.manager.resources | default .Values.resources | toYaml }}
{{- end }}
