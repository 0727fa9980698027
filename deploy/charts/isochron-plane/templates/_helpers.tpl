{{- define "isochron-plane.fullname" -}}
{{ .Values.fullnameOverride | default "isochron-plane-actor" }}
{{- end }}

{{- define "isochron-plane.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (ternary (include "isochron-plane.fullname" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{- /* What never changes in the life of a Deployment. Another name is another instance. */}}
{{- define "isochron-plane.selector" -}}
app.kubernetes.io/name: isochron
app.kubernetes.io/component: plane-actor
{{- with .Values.fullnameOverride }}
app.kubernetes.io/instance: {{ . }}
{{- end }}
{{- end }}

{{- define "isochron-plane.labels" -}}
{{ include "isochron-plane.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "isochron-plane.has-crl" -}}
{{- if or .Values.tls.crlSecretName (and .Values.tls.crl (not .Values.certManager.enabled)) }}yes{{ end }}
{{- end }}

{{- define "isochron-plane.log" -}}
{{- $variables := list }}
{{- with .Values.log.level }}{{ $variables = append $variables (dict "name" "ISOCHRON_LOG" "value" .) }}{{ end }}
{{- with .Values.log.format }}{{ $variables = append $variables (dict "name" "ISOCHRON_LOG_FORMAT" "value" .) }}{{ end }}
{{- toYaml $variables }}
{{- end }}

{{- define "isochron-plane.is-plain" -}}
{{- if regexMatch "^[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?$" .Values.plane }}yes{{ end }}
{{- end }}

{{- /* By itself where every character may stand; else the program's own name for it, which has a hash. */}}
{{- define "isochron-plane.ledger" -}}
{{- include "isochron-plane.check" . }}
{{- if .Values.ledgerName }}
{{- .Values.ledgerName }}
{{- else if include "isochron-plane.is-plain" . }}
{{- $labels := list }}
{{- range splitList "." (.Values.plane | lower | replace "_" "-") }}
{{- with trimAll "-" . }}{{ $labels = append $labels . }}{{ end }}
{{- end }}
{{- print "isochron-plane-" (join "." $labels) }}
{{- else }}
{{- fail (printf "ledgerName: missing. `coordinator pki plane '%s'` prints the name of this plane's ledger ConfigMap: set it here" .Values.plane) }}
{{- end }}
{{- end }}

{{- /* What no schema can say. */}}
{{- define "isochron-plane.check" -}}
{{- if not .Values.plane }}
{{- fail "plane: missing. Set it to this Kubernetes cluster's k8sClusterName, e.g. --set plane=prod-az1" }}
{{- end }}
{{- if not .Values.coordinator }}
{{- fail "coordinator: missing. Say where the coordinator is dialled, e.g. --set 'coordinator={isochron.internal.example.com:7443}'" }}
{{- end }}
{{- if and .Values.certManager.enabled (not .Values.certManager.issuerRef.name) }}
{{- fail "certManager.issuerRef.name: missing. Name the issuer of Isochron's own authority" }}
{{- end }}
{{- end }}

{{- /* The configuration file. */}}
{{- define "isochron-plane.config" -}}
# k8sClusterName in spec.clusters, and the name in this plane's certificate.
plane: {{ .Values.plane | quote }}
coordinator:
{{ toYaml .Values.coordinator }}
# The NAME of `coordinator pki coordinator NAME`: it holds whatever the address is called.
serverName: {{ .Values.serverName | quote }}
{{- with .Values.fallback }}
{{- if or .tcp (ne (int64 .afterSeconds) 30) }}
# Over TLS and TCP, once nothing has come back over UDP for so long.
fallback: {tcp: {{ toJson .tcp }}, afterSeconds: {{ int64 .afterSeconds }}}
{{- end }}
{{- end }}
trustDomain: {{ .Values.trustDomain | quote }}
{{- with .Values.identities }}
# Whom SPIFFE ids of another form name.
identities:
{{ toYaml . }}
{{- end }}
# All interfaces, IPv6 and IPv4.
http: "[::]:6060"
tls:
  ca: /etc/isochron/tls/ca.crt
  cert: /etc/isochron/tls/tls.crt
  key: /etc/isochron/tls/tls.key
  {{- if include "isochron-plane.has-crl" . }}
  # A coordinator that it names is not obeyed.
  crl: /etc/isochron/tls/crl.pem
  {{- end }}
# Of the plane's one ConfigMap.
namespace: {{ .Release.Namespace }}
{{- with .Values.clusterDomain }}
# DNS domain of this Kubernetes cluster.
clusterDomain: {{ . | quote }}
{{- end }}
# Planes that share this AWS account and region: each takes its part of EC2's budgets.
sharingPlanes: {{ int64 .Values.sharingPlanes }}
# How long a clean looks again after a create call whose outcome is unknown.
cleanQuietSeconds: {{ int64 .Values.cleanQuietSeconds }}
{{- if .Values.pd }}
pd:
{{ toYaml .Values.pd }}
{{- else }}
# Only for TiDB clusters whose operator does not say where PD is, or where another secret holds the certificate:
# pd:
# - namespace: tidb
#   name: shop-az1
#   urls: ["https://shop-pd.tidb.svc:2379"]
#   tlsSecret: shop-client
{{- end }}
restore:
  # Rights to restore here: volumes and claims are written, pods of TiKV deleted.
  enabled: {{ .Values.restore.enabled }}
aws:
{{- $names := pick .Values.aws "region" "ec2Endpoint" "s3Endpoint" "stsEndpoint" "ebsEndpoint" }}
{{- if compact (values $names) }}
  {{- toYaml $names | nindent 2 }}
{{- else }}
  # Only where AWS is reached by other names than its own (VPC endpoints, a test server):
  # ec2Endpoint: https://vpce-0123.ec2.eu-west-1.vpce.amazonaws.com
{{- end }}
  # What EC2 allows this account: raise it where AWS has raised a quota.
  budgets:
  {{- range $action, $bucket := .Values.aws.budgets }}
    {{ $action }}: {burst: {{ int64 $bucket.burst }}, perSecond: {{ int64 $bucket.perSecond }}}
  {{- end }}
  # How many snapshots it may have in the Region, and how many of them pending (0: EC2 is not known to have a limit).
  quotas: {snapshots: {{ int64 .Values.aws.quotas.snapshots }}, pendingSnapshots: {{ int64 .Values.aws.quotas.pendingSnapshots }}}
  # How many GiB volumes may have in it by their type, and how fast all of them may be initialised, for plans of restores.
  volumes: {quotaGib: {{ toJson .Values.aws.volumes.quotaGib }}, initializationMibPerSecond: {{ int64 .Values.aws.volumes.initializationMibPerSecond }}}
  # Snapshots bear the tags of their volumes as well, as far as EC2's 50 tags go.
  copyVolumeTags: {{ .Values.aws.copyVolumeTags }}
  {{- with .Values.aws.tags }}
  # And these.
  tags:
    {{- toYaml . | nindent 4 }}
  {{- else }}
  # And these, for cost allocation or a policy that demands one:
  # tags: {cost-centre: "42"}
  {{- end }}
{{- end }}
