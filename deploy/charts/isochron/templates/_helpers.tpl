{{- define "isochron.fullname" -}}
{{ .Values.fullnameOverride | default "isochron-coordinator" }}
{{- end }}

{{- define "isochron.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (ternary (include "isochron.fullname" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{- /* What never changes in the life of a Deployment. Another name is another instance. */}}
{{- define "isochron.selector" -}}
app.kubernetes.io/name: isochron
app.kubernetes.io/component: coordinator
{{- with .Values.fullnameOverride }}
app.kubernetes.io/instance: {{ . }}
{{- end }}
{{- end }}

{{- define "isochron.labels" -}}
{{ include "isochron.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "isochron.has-crl" -}}
{{- if or .Values.tls.crlSecretName (and .Values.tls.crl (not .Values.certManager.enabled)) }}yes{{ end }}
{{- end }}

{{- /* Time for barriers to finish, 10 s for an abort, and time to spare. */}}
{{- define "isochron.grace" -}}
{{ add (int64 .Values.stopGraceSeconds) 30 }}
{{- end }}

{{- define "isochron.log" -}}
{{- $variables := list }}
{{- with .Values.log.level }}{{ $variables = append $variables (dict "name" "ISOCHRON_LOG" "value" .) }}{{ end }}
{{- with .Values.log.format }}{{ $variables = append $variables (dict "name" "ISOCHRON_LOG_FORMAT" "value" .) }}{{ end }}
{{- toYaml $variables }}
{{- end }}

{{- /* Of what the program reads only at its start: the list of planes it follows by itself. */}}
{{- define "isochron.config-at-start" -}}
# All interfaces, IPv6 and IPv4.
listen: "[::]:7443"
{{- with .Values.tcp }}
# Planes whose networks drop UDP.
tcp: {{ . | quote }}
{{- end }}
http: "[::]:6060"
trustDomain: {{ .Values.trustDomain | quote }}
{{- with .Values.identities }}
# Whom SPIFFE ids of another form name.
identities:
{{ toYaml . }}
{{- end }}
tls:
  ca: /etc/isochron/tls/ca.crt
  cert: /etc/isochron/tls/tls.crt
  key: /etc/isochron/tls/tls.key
{{- if include "isochron.has-crl" . }}
  crl: /etc/isochron/tls/crl.pem
{{- end }}
# Of the ledger and the Lease: the coordinator's own.
namespace: {{ .Release.Namespace }}
{{- if or .Values.name .Values.objects.namespaces .Values.objects.labelSelector }}
# Of several coordinators, which this is, and which objects are its own.
name: {{ .Values.name | quote }}
objects:
  namespaces: {{ toJson .Values.objects.namespaces }}
  labelSelector: {{ .Values.objects.labelSelector | quote }}
{{- end }}
# Where the wall clock of schedules hangs that name no zone.
timezone: {{ .Values.timezone | quote }}
# How long barriers under way may take to finish when this process is told to end; then they are aborted.
stopGraceSeconds: {{ int64 .Values.stopGraceSeconds }}
# Pages for browsers and answers for programs, beside the metrics.
ui: {{ .Values.ui }}
# What AWS takes for what backups keep and for the volumes of a restore, for what people are told.
prices:
  snapshotGibMonth: {{ .Values.prices.snapshotGibMonth }}
  currency: {{ .Values.prices.currency | quote }}
  volumes: {{ toJson .Values.prices.volumes }}
  initializationGibMib: {{ toJson .Values.prices.initializationGibMib }}
# How often Complete backups are looked at: the newest of each schedule and TiDB cluster, and all others.
verify: {enabled: {{ .Values.verify.enabled }}, newestHours: {{ int64 .Values.verify.newestHours }}, restHours: {{ int64 .Values.verify.restHours }}}
# How often planes look through AWS for what nothing names.
scan: {enabled: {{ .Values.scan.enabled }}, hours: {{ int64 .Values.scan.hours }}}
# Who may back up what, and where to: without rules every namespace may everything.
policy:
  httpEndpoints: {{ .Values.policy.httpEndpoints }}
  rules:
  {{- with .Values.policy.rules }}
    {{- toYaml . | nindent 4 }}
  {{- else }} []
  {{- end }}
{{- if .Values.tracing.endpoint }}
# Where each attempt's trace goes when it has ended, and by whom it is believed.
tracing: {endpoint: {{ .Values.tracing.endpoint | quote }}, ca: {{ .Values.tracing.ca | quote }}}
{{- end }}
{{- end }}

{{- /* What no schema can say. */}}
{{- define "isochron.check" -}}
{{- if not .Values.planes }}
{{- fail "planes: the list is empty. Name every plane as k8sClusterName has it, e.g. --set 'planes={prod-az1,prod-az2}'" }}
{{- end }}
{{- if and .Values.certManager.enabled (not .Values.certManager.issuerRef.name) }}
{{- fail "certManager.issuerRef.name: missing. Name the issuer of Isochron's own authority" }}
{{- end }}
{{- end }}
