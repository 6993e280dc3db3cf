{{- define "flownexus.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- /* Called with (list $ "gateway"). */}}
{{- define "flownexus.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ $root.Chart.Name }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "flownexus.labels" -}}
{{- $root := index . 0 -}}
{{ include "flownexus.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "flownexus.podLabels" -}}
{{- $root := index . 0 -}}
{{ include "flownexus.selector" . }}
{{- with $root.Values.podLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* Called with an image of values.yaml and the tag where it has none. */}}
{{- define "flownexus.imageOf" -}}
{{- $image := index . 0 -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository ($image.tag | default (index . 1)) -}}
{{- end -}}
{{- end }}

{{- define "flownexus.image" -}}
{{- include "flownexus.imageOf" (list .Values.image .Chart.AppVersion) -}}
{{- end }}

{{- /* What every pod of ours has. */}}
{{- define "flownexus.podSettings" -}}
serviceAccountName: {{ include "flownexus.fullname" . }}
automountServiceAccountToken: false
# Kubernetes would set FLOWNEXUS_API_PORT=tcp://... for the Service of that name, which is a setting of ours.
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "flownexus.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "flownexus.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- /* Replicas are put on different nodes where there are some. Called with (list $ "gateway"). */}}
{{- define "flownexus.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "flownexus.selector" . | nindent 8 }}
{{- end }}

{{- define "flownexus.podAnnotations" -}}
{{- $root := index . 0 -}}
{{- $port := index . 1 -}}
{{- if and $root.Values.metrics.annotations $port }}
prometheus.io/scrape: "true"
prometheus.io/port: {{ $port | quote }}
prometheus.io/path: /metrics
{{- end }}
{{- with $root.Values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* The service starts within two minutes, or its container is started again. */}}
{{- define "flownexus.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: {{ . }}}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: {{ . }}}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: {{ . }}}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
{{- end }}

{{- define "flownexus.secretEnv" -}}
valueFrom:
  secretKeyRef:
    name: {{ (index . 0).Values.secrets.existingSecret }}
    key: {{ index . 1 }}
{{- end }}

{{- define "flownexus.logEnv" -}}
- name: FLOWNEXUS_LOG_LEVEL
  value: {{ .Values.logLevel }}
{{- end }}

{{- define "flownexus.healthEnv" -}}
- name: FLOWNEXUS_HEALTH_HOST
  value: {{ .Values.bindAddress | quote }}
- name: FLOWNEXUS_HEALTH_PORT
  value: "9180"
{{- end }}

{{- /* Called with (list $ "gateway"): the NATS user and the name of its password. */}}
{{- define "flownexus.natsEnv" -}}
{{- $root := index . 0 -}}
{{- $user := index . 1 -}}
{{- $scheme := ternary "tls" "nats" $root.Values.nats.tls.enabled -}}
{{- $urls := list -}}
{{- range ternary (list (printf "%s-nats:4222" (include "flownexus.fullname" $root))) $root.Values.nats.servers $root.Values.nats.enabled -}}
{{- $urls = append $urls (printf "%s://%s:$(NATS_PASSWORD)@%s" $scheme $user .) -}}
{{- end -}}
- name: NATS_PASSWORD
  {{- include "flownexus.secretEnv" (list $root (printf "NATS_%s_PASSWORD" (upper $user))) | nindent 2 }}
- name: FLOWNEXUS_NATS_URL
  value: {{ join "," $urls | quote }}
{{- if and $root.Values.nats.tls.enabled (include "flownexus.natsTlsSecret" $root) }}
- name: FLOWNEXUS_NATS_CA
  value: /etc/flownexus/nats/ca.crt
{{- end }}
{{- if and $root.Values.nats.tls.enabled $root.Values.nats.tls.serverName }}
- name: FLOWNEXUS_NATS_SERVER_NAME
  value: {{ $root.Values.nats.tls.serverName | quote }}
{{- end }}
{{- end }}

{{- define "flownexus.natsTlsSecret" -}}
{{- if .Values.nats.tls.certManager.enabled -}}
{{- printf "%s-nats-tls" (include "flownexus.fullname" .) -}}
{{- else -}}
{{- .Values.nats.tls.existingSecret -}}
{{- end -}}
{{- end }}

{{- /* Called with (list $ "flownexus_api" "API_DATABASE_PASSWORD"). */}}
{{- define "flownexus.databaseEnv" -}}
{{- $root := index . 0 -}}
{{- $database := $root.Values.database -}}
{{- $host := printf "%s:%d" $database.host (int $database.port) -}}
{{- $options := printf "?sslmode=%s" $database.sslMode -}}
{{- if $root.Values.timescaledb.enabled -}}
{{- $host = printf "%s-timescaledb:5432" (include "flownexus.fullname" $root) -}}
{{- $options = "?sslmode=disable" -}}
{{- else if hasPrefix "verify-" $database.sslMode -}}
{{- $options = printf "%s&sslrootcert=%s" $options (ternary "/etc/flownexus/database/ca.crt" "system" (not (empty $database.caSecret))) -}}
{{- end -}}
- name: DATABASE_PASSWORD
  {{- include "flownexus.secretEnv" (list $root (index . 2)) | nindent 2 }}
- name: FLOWNEXUS_DATABASE_URL
  value: {{ printf "postgresql://%s:$(DATABASE_PASSWORD)@%s/%s%s" (index . 1) $host $database.name $options | quote }}
{{- end }}

{{- /* Mounts of the CAs. Called with (list $ true): whether the database's is among them. */}}
{{- define "flownexus.caMounts" -}}
{{- $root := index . 0 -}}
{{- if and $root.Values.nats.tls.enabled (include "flownexus.natsTlsSecret" $root) }}
- {name: nats-ca, mountPath: /etc/flownexus/nats, readOnly: true}
{{- end }}
{{- if and (index . 1) (not $root.Values.timescaledb.enabled) $root.Values.database.caSecret }}
- {name: database-ca, mountPath: /etc/flownexus/database, readOnly: true}
{{- end }}
- {name: tmp, mountPath: /tmp}
{{- end }}

{{- define "flownexus.caVolumes" -}}
{{- $root := index . 0 -}}
{{- if and $root.Values.nats.tls.enabled (include "flownexus.natsTlsSecret" $root) }}
- name: nats-ca
  secret:
    secretName: {{ include "flownexus.natsTlsSecret" $root }}
    items: [{key: ca.crt, path: ca.crt}]
{{- end }}
{{- if and (index . 1) (not $root.Values.timescaledb.enabled) $root.Values.database.caSecret }}
- name: database-ca
  secret:
    secretName: {{ $root.Values.database.caSecret }}
    items: [{key: ca.crt, path: ca.crt}]
{{- end }}
- name: tmp
  emptyDir: {sizeLimit: 256Mi}
{{- end }}
