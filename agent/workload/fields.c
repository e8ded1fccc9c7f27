/** Fields: the table, and the walk that compares an object with it. */
#include "agent/workload/fields.h"

#include "shared/base/own.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

/* One row, one line. */
/* clang-format off */
const struct ag_field ag_fields[] = {
    { "ConfigMap.apiVersion", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "ConfigMap.binaryData", AG_SUPPORTED, AG_TEXTS, NULL, NULL, "base64" },
    { "ConfigMap.data", AG_SUPPORTED, AG_TEXTS, NULL, NULL, "" },
    { "ConfigMap.immutable", AG_IGNORED, AG_ANY, NULL, NULL, "a changed ConfigMap replaces the containers that use it" },
    { "ConfigMap.kind", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "ConfigMap.metadata", AG_SUPPORTED, AG_MAP, "Meta", NULL, "see Meta" },
    { "Container.args[]", AG_SUPPORTED, AG_TEXT, NULL, NULL, "$(NAME) is expanded" },
    { "Container.command[]", AG_SUPPORTED, AG_TEXT, NULL, NULL, "the entry point; $(NAME) is expanded" },
    { "Container.envFrom[].configMapRef.name", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Container.envFrom[].configMapRef.optional", AG_SUPPORTED, AG_FLAG, NULL, NULL, "" },
    { "Container.envFrom[].prefix", AG_SUPPORTED, AG_TEXT, NULL, NULL, "" },
    { "Container.envFrom[].secretRef.name", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Container.envFrom[].secretRef.optional", AG_SUPPORTED, AG_FLAG, NULL, NULL, "" },
    { "Container.env[]", AG_SUPPORTED, AG_MAP, "Env", NULL, "see Env" },
    { "Container.image", AG_SUPPORTED, AG_NAME, NULL, NULL, "with the registry's host, unless the agent has a default registry" },
    { "Container.imagePullPolicy", AG_SUPPORTED, AG_TEXT, NULL, NULL, "Always, IfNotPresent, Never; images are fetched before anything changes" },
    { "Container.lifecycle.postStart", AG_REFUSED, AG_ANY, NULL, NULL, "put it into the container's command" },
    { "Container.lifecycle.preStop", AG_IGNORED, AG_ANY, NULL, NULL, "a container is stopped by its signal" },
    { "Container.lifecycle.stopSignal", AG_REFUSED, AG_ANY, NULL, NULL, "the stop signal is the image's" },
    { "Container.livenessProbe", AG_SUPPORTED, AG_MAP, "Probe", NULL, "see Probe; kept, not run yet" },
    { "Container.name", AG_SUPPORTED, AG_NAME, NULL, NULL, "part of its name in Podman" },
    { "Container.ports[].containerPort", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "" },
    { "Container.ports[].hostIP", AG_SUPPORTED, AG_TEXT, NULL, NULL, "" },
    { "Container.ports[].hostPort", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "this port of the edge" },
    { "Container.ports[].name", AG_SUPPORTED, AG_TEXT, NULL, NULL, "named by targetPort and probes" },
    { "Container.ports[].protocol", AG_SUPPORTED, AG_TEXT, NULL, NULL, "TCP, UDP, SCTP" },
    { "Container.readinessProbe", AG_SUPPORTED, AG_MAP, "Probe", NULL, "see Probe; kept, not run yet" },
    { "Container.resizePolicy", AG_IGNORED, AG_ANY, NULL, NULL, "a changed container is replaced" },
    { "Container.resources.claims", AG_REFUSED, AG_ANY, NULL, NULL, "devices cannot be claimed" },
    { "Container.resources.limits.cpu", AG_SUPPORTED, AG_QUANTITY, NULL, NULL, "" },
    { "Container.resources.limits.ephemeral-storage", AG_IGNORED, AG_ANY, NULL, NULL, "disks have no limits per container" },
    { "Container.resources.limits.memory", AG_SUPPORTED, AG_QUANTITY, NULL, NULL, "at least 6 MiB" },
    { "Container.resources.requests", AG_IGNORED, AG_ANY, NULL, NULL, "an edge is one node; read by the downward API" },
    { "Container.restartPolicy", AG_REFUSED, AG_ANY, NULL, NULL, "an init container cannot stay; make it a container" },
    { "Container.restartPolicyRules", AG_REFUSED, AG_ANY, NULL, NULL, "the pod's restartPolicy counts" },
    { "Container.securityContext", AG_SUPPORTED, AG_MAP, "Security", NULL, "see Security" },
    { "Container.startupProbe", AG_SUPPORTED, AG_MAP, "Probe", NULL, "see Probe; kept, not run yet" },
    { "Container.stdin", AG_SUPPORTED, AG_FLAG, NULL, NULL, "" },
    { "Container.stdinOnce", AG_IGNORED, AG_ANY, NULL, NULL, "nobody is attached" },
    { "Container.terminationMessagePath", AG_IGNORED, AG_ANY, NULL, NULL, "exit codes are reported" },
    { "Container.terminationMessagePolicy", AG_IGNORED, AG_ANY, NULL, NULL, "exit codes are reported" },
    { "Container.tty", AG_SUPPORTED, AG_FLAG, NULL, NULL, "" },
    { "Container.volumeDevices", AG_REFUSED, AG_ANY, NULL, NULL, "devices cannot be given" },
    { "Container.volumeMounts[].mountPath", AG_SUPPORTED, AG_NAME, NULL, NULL, "absolute" },
    { "Container.volumeMounts[].mountPropagation", AG_REFUSED, AG_ANY, NULL, "None", "mounts of the host stay where they are" },
    { "Container.volumeMounts[].name", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Container.volumeMounts[].readOnly", AG_SUPPORTED, AG_FLAG, NULL, NULL, "" },
    { "Container.volumeMounts[].recursiveReadOnly", AG_IGNORED, AG_ANY, NULL, NULL, "there are no mounts below a volume" },
    { "Container.volumeMounts[].subPath", AG_SUPPORTED, AG_TEXT, NULL, NULL, "of ConfigMaps, Secrets and projected volumes; of an emptyDir that is not mounted whole; not of claims" },
    { "Container.volumeMounts[].subPathExpr", AG_REFUSED, AG_ANY, NULL, NULL, "write the path itself as subPath" },
    { "Container.workingDir", AG_SUPPORTED, AG_TEXT, NULL, NULL, "" },
    { "DaemonSet.apiVersion", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "DaemonSet.kind", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "DaemonSet.metadata", AG_SUPPORTED, AG_MAP, "Meta", NULL, "see Meta" },
    { "DaemonSet.spec.minReadySeconds", AG_IGNORED, AG_ANY, NULL, NULL, "probes do not run yet" },
    { "DaemonSet.spec.revisionHistoryLimit", AG_IGNORED, AG_ANY, NULL, NULL, "Kedge goes back by itself" },
    { "DaemonSet.spec.selector", AG_IGNORED, AG_ANY, NULL, NULL, "a DaemonSet has the pods of its template" },
    { "DaemonSet.spec.template", AG_SUPPORTED, AG_MAP, "Pod", NULL, "see Pod; an edge is one node: one pod" },
    { "DaemonSet.spec.updateStrategy", AG_IGNORED, AG_ANY, NULL, NULL, "the old pod stops before the new one starts" },
    { "DaemonSet.status", AG_IGNORED, AG_ANY, NULL, NULL, "written by a Kubernetes API server" },
    { "Deployment.apiVersion", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Deployment.kind", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Deployment.metadata", AG_SUPPORTED, AG_MAP, "Meta", NULL, "see Meta" },
    { "Deployment.spec.minReadySeconds", AG_IGNORED, AG_ANY, NULL, NULL, "probes do not run yet" },
    { "Deployment.spec.paused", AG_REFUSED, AG_ANY, NULL, "false", "a paused Deployment would not change" },
    { "Deployment.spec.progressDeadlineSeconds", AG_IGNORED, AG_ANY, NULL, NULL, "the deployment's own timeout counts" },
    { "Deployment.spec.replicas", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "at most 64" },
    { "Deployment.spec.revisionHistoryLimit", AG_IGNORED, AG_ANY, NULL, NULL, "Kedge goes back by itself" },
    { "Deployment.spec.selector", AG_IGNORED, AG_ANY, NULL, NULL, "a Deployment has the pods of its template" },
    { "Deployment.spec.strategy.rollingUpdate", AG_IGNORED, AG_ANY, NULL, NULL, "one pod after the other" },
    { "Deployment.spec.strategy.type", AG_SUPPORTED, AG_TEXT, NULL, NULL, "RollingUpdate: the new pod starts before the old one stops, unless it has host ports; Recreate" },
    { "Deployment.spec.template", AG_SUPPORTED, AG_MAP, "Pod", NULL, "see Pod" },
    { "Deployment.status", AG_IGNORED, AG_ANY, NULL, NULL, "written by a Kubernetes API server" },
    { "Env.name", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Env.value", AG_SUPPORTED, AG_TEXT, NULL, NULL, "$(NAME) is expanded, $$ is $" },
    { "Env.valueFrom.configMapKeyRef.key", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Env.valueFrom.configMapKeyRef.name", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Env.valueFrom.configMapKeyRef.optional", AG_SUPPORTED, AG_FLAG, NULL, NULL, "" },
    { "Env.valueFrom.fieldRef", AG_SUPPORTED, AG_MAP, "FieldRef", NULL, "see FieldRef" },
    { "Env.valueFrom.fileKeyRef", AG_REFUSED, AG_ANY, NULL, NULL, "use a ConfigMap" },
    { "Env.valueFrom.resourceFieldRef", AG_SUPPORTED, AG_MAP, "ResourceRef", NULL, "see ResourceRef" },
    { "Env.valueFrom.secretKeyRef.key", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Env.valueFrom.secretKeyRef.name", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Env.valueFrom.secretKeyRef.optional", AG_SUPPORTED, AG_FLAG, NULL, NULL, "" },
    { "FieldRef.apiVersion", AG_IGNORED, AG_ANY, NULL, NULL, "v1" },
    { "FieldRef.fieldPath", AG_SUPPORTED, AG_NAME, NULL, NULL, "metadata.name, metadata.namespace, metadata.labels['…'], metadata.annotations['…'], spec.nodeName, spec.serviceAccountName; others are refused: they are known only to a Kubernetes node" },
    { "Job.apiVersion", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Job.kind", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Job.metadata", AG_SUPPORTED, AG_MAP, "Meta", NULL, "see Meta" },
    { "Job.spec.activeDeadlineSeconds", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "each container is ended then" },
    { "Job.spec.backoffLimit", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "failed attempts that are repeated; 6 if not given" },
    { "Job.spec.backoffLimitPerIndex", AG_REFUSED, AG_ANY, NULL, NULL, "failures are counted by backoffLimit only" },
    { "Job.spec.completionMode", AG_SUPPORTED, AG_TEXT, NULL, NULL, "Indexed: JOB_COMPLETION_INDEX" },
    { "Job.spec.completions", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "at most 64 pods" },
    { "Job.spec.managedBy", AG_REFUSED, AG_ANY, NULL, NULL, "failures are counted by backoffLimit only" },
    { "Job.spec.manualSelector", AG_IGNORED, AG_ANY, NULL, NULL, "a Job has the pods of its template" },
    { "Job.spec.maxFailedIndexes", AG_REFUSED, AG_ANY, NULL, NULL, "failures are counted by backoffLimit only" },
    { "Job.spec.parallelism", AG_IGNORED, AG_ANY, NULL, NULL, "all pods of a Job start at once" },
    { "Job.spec.podFailurePolicy", AG_REFUSED, AG_ANY, NULL, NULL, "failures are counted by backoffLimit only" },
    { "Job.spec.podReplacementPolicy", AG_IGNORED, AG_ANY, NULL, NULL, "a failed attempt has ended before the next" },
    { "Job.spec.selector", AG_IGNORED, AG_ANY, NULL, NULL, "a Job has the pods of its template" },
    { "Job.spec.successPolicy", AG_REFUSED, AG_ANY, NULL, NULL, "failures are counted by backoffLimit only" },
    { "Job.spec.suspend", AG_REFUSED, AG_ANY, NULL, "false", "a suspended Job would not run" },
    { "Job.spec.template", AG_SUPPORTED, AG_MAP, "Pod", NULL, "see Pod" },
    { "Job.spec.ttlSecondsAfterFinished", AG_IGNORED, AG_ANY, NULL, NULL, "a finished Job is kept as long as the application" },
    { "Job.status", AG_IGNORED, AG_ANY, NULL, NULL, "written by a Kubernetes API server" },
    { "Meta.annotations", AG_SUPPORTED, AG_TEXTS, NULL, NULL, "helm.sh/hook, helm.sh/hook-weight, helm.sh/resource-policy; read by the downward API" },
    { "Meta.creationTimestamp", AG_IGNORED, AG_ANY, NULL, NULL, "kept by a Kubernetes API server" },
    { "Meta.deletionGracePeriodSeconds", AG_IGNORED, AG_ANY, NULL, NULL, "kept by a Kubernetes API server" },
    { "Meta.deletionTimestamp", AG_IGNORED, AG_ANY, NULL, NULL, "kept by a Kubernetes API server" },
    { "Meta.finalizers", AG_IGNORED, AG_ANY, NULL, NULL, "kept by a Kubernetes API server" },
    { "Meta.generateName", AG_REFUSED, AG_ANY, NULL, NULL, "a name that changes cannot be compared; set metadata.name" },
    { "Meta.generation", AG_IGNORED, AG_ANY, NULL, NULL, "kept by a Kubernetes API server" },
    { "Meta.labels", AG_SUPPORTED, AG_TEXTS, NULL, NULL, "selected by Services; read by the downward API" },
    { "Meta.managedFields", AG_IGNORED, AG_ANY, NULL, NULL, "kept by a Kubernetes API server" },
    { "Meta.name", AG_SUPPORTED, AG_NAME, NULL, NULL, "part of every name in Podman" },
    { "Meta.namespace", AG_SUPPORTED, AG_TEXT, NULL, NULL, "names only: the namespace in which Services are found" },
    { "Meta.ownerReferences", AG_IGNORED, AG_ANY, NULL, NULL, "kept by a Kubernetes API server" },
    { "Meta.resourceVersion", AG_IGNORED, AG_ANY, NULL, NULL, "kept by a Kubernetes API server" },
    { "Meta.selfLink", AG_IGNORED, AG_ANY, NULL, NULL, "kept by a Kubernetes API server" },
    { "Meta.uid", AG_IGNORED, AG_ANY, NULL, NULL, "kept by a Kubernetes API server" },
    { "PersistentVolumeClaim.apiVersion", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "PersistentVolumeClaim.kind", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "PersistentVolumeClaim.metadata", AG_SUPPORTED, AG_MAP, "Meta", NULL, "see Meta" },
    { "PersistentVolumeClaim.spec.accessModes", AG_IGNORED, AG_ANY, NULL, NULL, "a volume of Podman can be used by all containers of this edge" },
    { "PersistentVolumeClaim.spec.dataSource", AG_REFUSED, AG_ANY, NULL, NULL, "a volume begins empty" },
    { "PersistentVolumeClaim.spec.dataSourceRef", AG_REFUSED, AG_ANY, NULL, NULL, "a volume begins empty" },
    { "PersistentVolumeClaim.spec.resources", AG_IGNORED, AG_ANY, NULL, NULL, "a volume of Podman has no size of its own" },
    { "PersistentVolumeClaim.spec.selector", AG_IGNORED, AG_ANY, NULL, NULL, "volumes are Podman's own" },
    { "PersistentVolumeClaim.spec.storageClassName", AG_IGNORED, AG_ANY, NULL, NULL, "volumes are Podman's own" },
    { "PersistentVolumeClaim.spec.volumeAttributesClassName", AG_IGNORED, AG_ANY, NULL, NULL, "volumes are Podman's own" },
    { "PersistentVolumeClaim.spec.volumeMode", AG_REFUSED, AG_ANY, NULL, "Filesystem", "only Filesystem" },
    { "PersistentVolumeClaim.spec.volumeName", AG_REFUSED, AG_ANY, NULL, NULL, "there are no PersistentVolumes to choose from" },
    { "PersistentVolumeClaim.status", AG_IGNORED, AG_ANY, NULL, NULL, "written by a Kubernetes API server" },
    { "Pod.apiVersion", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Pod.kind", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Pod.metadata", AG_SUPPORTED, AG_MAP, "Meta", NULL, "see Meta" },
    { "Pod.spec.activeDeadlineSeconds", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "each container is ended then" },
    { "Pod.spec.affinity", AG_IGNORED, AG_ANY, NULL, NULL, "an edge is one node" },
    { "Pod.spec.automountServiceAccountToken", AG_IGNORED, AG_ANY, NULL, NULL, "there is no Kubernetes API" },
    { "Pod.spec.containers[]", AG_SUPPORTED, AG_MAP, "Container", NULL, "see Container; one alone is a plain container, several are a pod that shares its network" },
    { "Pod.spec.dnsConfig.nameservers", AG_REFUSED, AG_ANY, NULL, NULL, "names are found by the project's network" },
    { "Pod.spec.dnsConfig.options", AG_IGNORED, AG_ANY, NULL, NULL, "all names of Services are found without" },
    { "Pod.spec.dnsConfig.searches", AG_REFUSED, AG_ANY, NULL, NULL, "would change which names are found" },
    { "Pod.spec.dnsPolicy", AG_REFUSED, AG_ANY, NULL, "ClusterFirst", "only ClusterFirst" },
    { "Pod.spec.enableServiceLinks", AG_IGNORED, AG_ANY, NULL, NULL, "Services are found by name; there are no variables for them" },
    { "Pod.spec.ephemeralContainers", AG_REFUSED, AG_ANY, NULL, NULL, "for debugging by hand only" },
    { "Pod.spec.hostAliases[].hostnames[]", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Pod.spec.hostAliases[].ip", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Pod.spec.hostIPC", AG_REFUSED, AG_ANY, NULL, "false", "would give the application the host's own" },
    { "Pod.spec.hostNetwork", AG_REFUSED, AG_ANY, NULL, "false", "would give the application the host's own" },
    { "Pod.spec.hostPID", AG_REFUSED, AG_ANY, NULL, "false", "would give the application the host's own" },
    { "Pod.spec.hostUsers", AG_REFUSED, AG_ANY, NULL, "true", "user namespaces are a setting of Podman" },
    { "Pod.spec.hostname", AG_SUPPORTED, AG_TEXT, NULL, NULL, "the pod's name if not given" },
    { "Pod.spec.hostnameOverride", AG_REFUSED, AG_ANY, NULL, NULL, "the host name is the pod's" },
    { "Pod.spec.imagePullSecrets", AG_IGNORED, AG_ANY, NULL, NULL, "the agent's settings have the credentials of registries" },
    { "Pod.spec.initContainers[]", AG_SUPPORTED, AG_MAP, "Container", NULL, "see Container; each must end with 0 before the next one starts" },
    { "Pod.spec.nodeName", AG_IGNORED, AG_ANY, NULL, NULL, "an edge is one node" },
    { "Pod.spec.nodeSelector", AG_IGNORED, AG_ANY, NULL, NULL, "an edge is one node" },
    { "Pod.spec.os", AG_IGNORED, AG_ANY, NULL, NULL, "Linux" },
    { "Pod.spec.overhead", AG_IGNORED, AG_ANY, NULL, NULL, "an edge is one node" },
    { "Pod.spec.preemptionPolicy", AG_IGNORED, AG_ANY, NULL, NULL, "an edge is one node" },
    { "Pod.spec.priority", AG_IGNORED, AG_ANY, NULL, NULL, "an edge is one node" },
    { "Pod.spec.priorityClassName", AG_IGNORED, AG_ANY, NULL, NULL, "an edge is one node" },
    { "Pod.spec.readinessGates", AG_REFUSED, AG_ANY, NULL, NULL, "nobody could open them" },
    { "Pod.spec.resourceClaims", AG_REFUSED, AG_ANY, NULL, NULL, "devices cannot be claimed" },
    { "Pod.spec.resources", AG_REFUSED, AG_ANY, NULL, NULL, "give limits to the containers" },
    { "Pod.spec.restartPolicy", AG_SUPPORTED, AG_TEXT, NULL, NULL, "Always, OnFailure, Never; the agent starts again what ended" },
    { "Pod.spec.runtimeClassName", AG_REFUSED, AG_ANY, NULL, NULL, "Podman has one runtime" },
    { "Pod.spec.schedulerName", AG_IGNORED, AG_ANY, NULL, NULL, "an edge is one node" },
    { "Pod.spec.schedulingGates", AG_REFUSED, AG_ANY, NULL, NULL, "nobody could open them" },
    { "Pod.spec.securityContext", AG_SUPPORTED, AG_MAP, "PodSecurity", NULL, "see PodSecurity" },
    { "Pod.spec.serviceAccount", AG_IGNORED, AG_ANY, NULL, NULL, "there is no Kubernetes API" },
    { "Pod.spec.serviceAccountName", AG_IGNORED, AG_TEXT, NULL, NULL, "there is no Kubernetes API; read by the downward API" },
    { "Pod.spec.setHostnameAsFQDN", AG_REFUSED, AG_ANY, NULL, "false", "the host name is the short one" },
    { "Pod.spec.shareProcessNamespace", AG_SUPPORTED, AG_FLAG, NULL, NULL, "" },
    { "Pod.spec.subdomain", AG_SUPPORTED, AG_TEXT, NULL, NULL, "hostname.subdomain.namespace.svc.cluster.local leads to the pod" },
    { "Pod.spec.terminationGracePeriodSeconds", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "30 if not given; never longer than the job that stops it" },
    { "Pod.spec.tolerations", AG_IGNORED, AG_ANY, NULL, NULL, "an edge is one node" },
    { "Pod.spec.topologySpreadConstraints", AG_IGNORED, AG_ANY, NULL, NULL, "an edge is one node" },
    { "Pod.spec.volumes[]", AG_SUPPORTED, AG_MAP, "Volume", NULL, "see Volume" },
    { "Pod.status", AG_IGNORED, AG_ANY, NULL, NULL, "written by a Kubernetes API server" },
    { "PodSecurity.appArmorProfile.type", AG_REFUSED, AG_ANY, NULL, "RuntimeDefault", "only RuntimeDefault, which is Podman's default" },
    { "PodSecurity.fsGroup", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "group of ConfigMap, Secret and emptyDir files, and one of the containers'" },
    { "PodSecurity.fsGroupChangePolicy", AG_IGNORED, AG_ANY, NULL, NULL, "files are made with their group" },
    { "PodSecurity.runAsGroup", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "" },
    { "PodSecurity.runAsNonRoot", AG_SUPPORTED, AG_FLAG, NULL, NULL, "with runAsUser 0 refused; without runAsUser the image's user counts" },
    { "PodSecurity.runAsUser", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "" },
    { "PodSecurity.seLinuxChangePolicy", AG_IGNORED, AG_ANY, NULL, NULL, "no SELinux labels are set" },
    { "PodSecurity.seLinuxOptions", AG_IGNORED, AG_ANY, NULL, NULL, "no SELinux labels are set" },
    { "PodSecurity.seccompProfile.type", AG_REFUSED, AG_ANY, NULL, "RuntimeDefault", "only RuntimeDefault, which is Podman's default" },
    { "PodSecurity.supplementalGroupsPolicy", AG_IGNORED, AG_ANY, NULL, NULL, "groups of the image count too" },
    { "PodSecurity.supplementalGroups[]", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "" },
    { "PodSecurity.sysctls", AG_REFUSED, AG_ANY, NULL, NULL, "would change the kernel's settings" },
    { "PodSecurity.windowsOptions", AG_REFUSED, AG_ANY, NULL, NULL, "Linux only" },
    { "Probe.exec.command[]", AG_SUPPORTED, AG_TEXT, NULL, NULL, "kept" },
    { "Probe.failureThreshold", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "kept" },
    { "Probe.grpc.port", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "kept" },
    { "Probe.grpc.service", AG_SUPPORTED, AG_TEXT, NULL, NULL, "kept" },
    { "Probe.httpGet.host", AG_SUPPORTED, AG_TEXT, NULL, NULL, "kept" },
    { "Probe.httpGet.httpHeaders", AG_IGNORED, AG_ANY, NULL, NULL, "a probe asks without headers" },
    { "Probe.httpGet.path", AG_SUPPORTED, AG_TEXT, NULL, NULL, "kept" },
    { "Probe.httpGet.port", AG_SUPPORTED, AG_PORT, NULL, NULL, "kept" },
    { "Probe.httpGet.scheme", AG_SUPPORTED, AG_TEXT, NULL, NULL, "kept" },
    { "Probe.initialDelaySeconds", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "kept" },
    { "Probe.periodSeconds", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "kept" },
    { "Probe.successThreshold", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "kept" },
    { "Probe.tcpSocket.host", AG_IGNORED, AG_ANY, NULL, NULL, "a probe asks its own pod" },
    { "Probe.tcpSocket.port", AG_SUPPORTED, AG_PORT, NULL, NULL, "kept" },
    { "Probe.terminationGracePeriodSeconds", AG_IGNORED, AG_ANY, NULL, NULL, "the pod's counts" },
    { "Probe.timeoutSeconds", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "kept" },
    { "ResourceRef.containerName", AG_REFUSED, AG_ANY, NULL, NULL, "only the container's own resources" },
    { "ResourceRef.divisor", AG_SUPPORTED, AG_QUANTITY, NULL, NULL, "1 if not given" },
    { "ResourceRef.resource", AG_SUPPORTED, AG_NAME, NULL, NULL, "limits.cpu, limits.memory, requests.cpu, requests.memory, where they are given" },
    { "Secret.apiVersion", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Secret.data", AG_SUPPORTED, AG_TEXTS, NULL, NULL, "base64" },
    { "Secret.immutable", AG_IGNORED, AG_ANY, NULL, NULL, "a changed Secret replaces the containers that use it" },
    { "Secret.kind", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Secret.metadata", AG_SUPPORTED, AG_MAP, "Meta", NULL, "see Meta" },
    { "Secret.stringData", AG_SUPPORTED, AG_TEXTS, NULL, NULL, "wins over data" },
    { "Secret.type", AG_IGNORED, AG_ANY, NULL, NULL, "the keys are used as they are" },
    { "Security.allowPrivilegeEscalation", AG_SUPPORTED, AG_FLAG, NULL, NULL, "false: no new privileges" },
    { "Security.appArmorProfile.type", AG_REFUSED, AG_ANY, NULL, "RuntimeDefault", "only RuntimeDefault, which is Podman's default" },
    { "Security.capabilities.add[]", AG_SUPPORTED, AG_NAME, NULL, NULL, "only what containers may have by default: CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, NET_BIND_SERVICE, NET_RAW, SETFCAP, SETGID, SETPCAP, SETUID, SYS_CHROOT, MKNOD, AUDIT_WRITE" },
    { "Security.capabilities.drop[]", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Security.privileged", AG_REFUSED, AG_ANY, NULL, "false", "would give the container the whole host" },
    { "Security.procMount", AG_REFUSED, AG_ANY, NULL, "Default", "would show the host's /proc" },
    { "Security.readOnlyRootFilesystem", AG_SUPPORTED, AG_FLAG, NULL, NULL, "" },
    { "Security.runAsGroup", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "" },
    { "Security.runAsNonRoot", AG_SUPPORTED, AG_FLAG, NULL, NULL, "with runAsUser 0 refused; without runAsUser the image's user counts" },
    { "Security.runAsUser", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "" },
    { "Security.seLinuxOptions", AG_IGNORED, AG_ANY, NULL, NULL, "no SELinux labels are set" },
    { "Security.seccompProfile.type", AG_REFUSED, AG_ANY, NULL, "RuntimeDefault", "only RuntimeDefault, which is Podman's default" },
    { "Security.windowsOptions", AG_REFUSED, AG_ANY, NULL, NULL, "Linux only" },
    { "Service.apiVersion", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Service.kind", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Service.metadata", AG_SUPPORTED, AG_MAP, "Meta", NULL, "see Meta" },
    { "Service.spec.allocateLoadBalancerNodePorts", AG_IGNORED, AG_ANY, NULL, NULL, "node ports are those that are written down" },
    { "Service.spec.clusterIP", AG_SUPPORTED, AG_TEXT, NULL, NULL, "None: headless; others are ignored: the name leads to the pods themselves" },
    { "Service.spec.clusterIPs", AG_IGNORED, AG_ANY, NULL, NULL, "the name leads to the pods themselves" },
    { "Service.spec.externalIPs", AG_REFUSED, AG_ANY, NULL, NULL, "an edge answers at its own addresses only" },
    { "Service.spec.externalName", AG_SUPPORTED, AG_TEXT, NULL, NULL, "the Service is skipped" },
    { "Service.spec.externalTrafficPolicy", AG_IGNORED, AG_ANY, NULL, NULL, "an edge is one machine" },
    { "Service.spec.healthCheckNodePort", AG_IGNORED, AG_ANY, NULL, NULL, "there is no load balancer" },
    { "Service.spec.internalTrafficPolicy", AG_IGNORED, AG_ANY, NULL, NULL, "an edge is one machine" },
    { "Service.spec.ipFamilies", AG_IGNORED, AG_ANY, NULL, NULL, "the project's network has its own" },
    { "Service.spec.ipFamilyPolicy", AG_IGNORED, AG_ANY, NULL, NULL, "the project's network has its own" },
    { "Service.spec.loadBalancerClass", AG_IGNORED, AG_ANY, NULL, NULL, "there is no load balancer" },
    { "Service.spec.loadBalancerIP", AG_IGNORED, AG_ANY, NULL, NULL, "there is no load balancer" },
    { "Service.spec.loadBalancerSourceRanges", AG_REFUSED, AG_ANY, NULL, NULL, "would leave the port open to everybody" },
    { "Service.spec.ports[].appProtocol", AG_IGNORED, AG_ANY, NULL, NULL, "a hint" },
    { "Service.spec.ports[].name", AG_IGNORED, AG_TEXT, NULL, NULL, "a port is told by its number" },
    { "Service.spec.ports[].nodePort", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "this port of the edge, at the first pod; without a number it is skipped" },
    { "Service.spec.ports[].port", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "a port that differs from its targetPort is reached at its targetPort; the status says so" },
    { "Service.spec.ports[].protocol", AG_SUPPORTED, AG_TEXT, NULL, NULL, "TCP, UDP, SCTP" },
    { "Service.spec.ports[].targetPort", AG_SUPPORTED, AG_PORT, NULL, NULL, "number or name of a container's port" },
    { "Service.spec.publishNotReadyAddresses", AG_IGNORED, AG_ANY, NULL, NULL, "every pod of the Service is found under its name" },
    { "Service.spec.selector", AG_SUPPORTED, AG_TEXTS, NULL, NULL, "the pods of this application that answer under the Service's name" },
    { "Service.spec.sessionAffinity", AG_IGNORED, AG_ANY, NULL, NULL, "names lead to pods, in any order" },
    { "Service.spec.sessionAffinityConfig", AG_IGNORED, AG_ANY, NULL, NULL, "names lead to pods, in any order" },
    { "Service.spec.trafficDistribution", AG_IGNORED, AG_ANY, NULL, NULL, "an edge is one machine" },
    { "Service.spec.type", AG_SUPPORTED, AG_TEXT, NULL, NULL, "ClusterIP: names; NodePort: nodePort on the edge too; LoadBalancer: as NodePort; ExternalName: skipped" },
    { "Service.status", AG_IGNORED, AG_ANY, NULL, NULL, "written by a Kubernetes API server" },
    { "StatefulSet.apiVersion", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "StatefulSet.kind", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "StatefulSet.metadata", AG_SUPPORTED, AG_MAP, "Meta", NULL, "see Meta" },
    { "StatefulSet.spec.minReadySeconds", AG_IGNORED, AG_ANY, NULL, NULL, "probes do not run yet" },
    { "StatefulSet.spec.ordinals", AG_REFUSED, AG_ANY, NULL, NULL, "pods are counted from 0" },
    { "StatefulSet.spec.persistentVolumeClaimRetentionPolicy", AG_IGNORED, AG_ANY, NULL, NULL, "volumes of a StatefulSet are kept" },
    { "StatefulSet.spec.podManagementPolicy", AG_IGNORED, AG_ANY, NULL, NULL, "always in order" },
    { "StatefulSet.spec.replicas", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "at most 64" },
    { "StatefulSet.spec.revisionHistoryLimit", AG_IGNORED, AG_ANY, NULL, NULL, "Kedge goes back by itself" },
    { "StatefulSet.spec.selector", AG_IGNORED, AG_ANY, NULL, NULL, "a StatefulSet has the pods of its template" },
    { "StatefulSet.spec.serviceName", AG_SUPPORTED, AG_TEXT, NULL, NULL, "pod.service.namespace.svc.cluster.local leads to the pod" },
    { "StatefulSet.spec.template", AG_SUPPORTED, AG_MAP, "Pod", NULL, "see Pod" },
    { "StatefulSet.spec.updateStrategy", AG_IGNORED, AG_ANY, NULL, NULL, "always in order" },
    { "StatefulSet.spec.volumeClaimTemplates[]", AG_SUPPORTED, AG_MAP, "PersistentVolumeClaim", NULL, "see PersistentVolumeClaim; a volume per pod, kept when the application is removed" },
    { "StatefulSet.status", AG_IGNORED, AG_ANY, NULL, NULL, "written by a Kubernetes API server" },
    { "Volume.configMap.defaultMode", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "0644 if not given" },
    { "Volume.configMap.items[].key", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Volume.configMap.items[].mode", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "" },
    { "Volume.configMap.items[].path", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Volume.configMap.name", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Volume.configMap.optional", AG_SUPPORTED, AG_FLAG, NULL, NULL, "" },
    { "Volume.csi", AG_REFUSED, AG_ANY, NULL, NULL, "use a persistentVolumeClaim" },
    { "Volume.downwardAPI.defaultMode", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "0644 if not given" },
    { "Volume.downwardAPI.items[].fieldRef", AG_SUPPORTED, AG_MAP, "FieldRef", NULL, "see FieldRef; metadata.labels and metadata.annotations too" },
    { "Volume.downwardAPI.items[].mode", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "" },
    { "Volume.downwardAPI.items[].path", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Volume.downwardAPI.items[].resourceFieldRef", AG_REFUSED, AG_ANY, NULL, NULL, "use an environment variable" },
    { "Volume.emptyDir.medium", AG_SUPPORTED, AG_TEXT, NULL, NULL, "Memory: a tmpfs where one container uses it, else on disk" },
    { "Volume.emptyDir.sizeLimit", AG_SUPPORTED, AG_QUANTITY, NULL, NULL, "of a tmpfs; a disk has no limit" },
    { "Volume.ephemeral", AG_REFUSED, AG_ANY, NULL, NULL, "use a persistentVolumeClaim" },
    { "Volume.hostPath", AG_REFUSED, AG_ANY, NULL, NULL, "would give the application the host's files" },
    { "Volume.image", AG_REFUSED, AG_ANY, NULL, NULL, "use a persistentVolumeClaim" },
    { "Volume.iscsi", AG_REFUSED, AG_ANY, NULL, NULL, "use a persistentVolumeClaim" },
    { "Volume.name", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Volume.nfs", AG_REFUSED, AG_ANY, NULL, NULL, "use a persistentVolumeClaim" },
    { "Volume.persistentVolumeClaim.claimName", AG_SUPPORTED, AG_NAME, NULL, NULL, "a claim of this application" },
    { "Volume.persistentVolumeClaim.readOnly", AG_SUPPORTED, AG_FLAG, NULL, NULL, "" },
    { "Volume.projected.defaultMode", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "0644 if not given" },
    { "Volume.projected.sources[].clusterTrustBundle", AG_REFUSED, AG_ANY, NULL, NULL, "there is no Kubernetes API" },
    { "Volume.projected.sources[].configMap.items[].key", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Volume.projected.sources[].configMap.items[].mode", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "" },
    { "Volume.projected.sources[].configMap.items[].path", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Volume.projected.sources[].configMap.name", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Volume.projected.sources[].configMap.optional", AG_SUPPORTED, AG_FLAG, NULL, NULL, "" },
    { "Volume.projected.sources[].downwardAPI.items[].fieldRef", AG_SUPPORTED, AG_MAP, "FieldRef", NULL, "see FieldRef; metadata.labels and metadata.annotations too" },
    { "Volume.projected.sources[].downwardAPI.items[].mode", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "" },
    { "Volume.projected.sources[].downwardAPI.items[].path", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Volume.projected.sources[].downwardAPI.items[].resourceFieldRef", AG_REFUSED, AG_ANY, NULL, NULL, "use an environment variable" },
    { "Volume.projected.sources[].podCertificate", AG_REFUSED, AG_ANY, NULL, NULL, "there is no Kubernetes API" },
    { "Volume.projected.sources[].secret.items[].key", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Volume.projected.sources[].secret.items[].mode", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "" },
    { "Volume.projected.sources[].secret.items[].path", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Volume.projected.sources[].secret.name", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Volume.projected.sources[].secret.optional", AG_SUPPORTED, AG_FLAG, NULL, NULL, "" },
    { "Volume.projected.sources[].serviceAccountToken", AG_REFUSED, AG_ANY, NULL, NULL, "there is no Kubernetes API" },
    { "Volume.secret.defaultMode", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "0644 if not given" },
    { "Volume.secret.items[].key", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Volume.secret.items[].mode", AG_SUPPORTED, AG_NUMBER, NULL, NULL, "" },
    { "Volume.secret.items[].path", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
    { "Volume.secret.optional", AG_SUPPORTED, AG_FLAG, NULL, NULL, "" },
    { "Volume.secret.secretName", AG_SUPPORTED, AG_NAME, NULL, NULL, "" },
};
/* clang-format on */

const size_t ag_field_count = KD_COUNT(ag_fields);

static const char *const ag_verdict_words[AG_VERDICT_COUNT] = { AG_VERDICTS(AG_VERDICT_AS_WORD) };

const char *ag_verdict_word(enum ag_verdict verdict)
{
    return ag_verdict_words[verdict];
}

enum {
    AG_PATH_MAX = 256, /* bytes; rows are shorter, objects that nest deeper are unknown anyhow */
    AG_WALK_MAX = 32,  /* levels of an object */
};

struct ag_walk {
    struct kd_str title;
    struct kd_err *err;
    char at[AG_PATH_MAX];    /* path in the table: Container.env[].name */
    char shown[AG_PATH_MAX]; /* path in the object: spec.containers[0].env[1].name */
    int depth;
};

static enum kd_code ag_walk_value(struct ag_walk *w, const cJSON *value);

/** The first row that is not before the path. */
static size_t ag_field_bound(const char *path)
{
    size_t low = 0, high = ag_field_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(ag_fields[middle].path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct ag_field *ag_field_of(const char *path)
{
    size_t i = ag_field_bound(path);
    return i < ag_field_count && strcmp(ag_fields[i].path, path) == 0 ? &ag_fields[i] : NULL;
}

/** True where rows lie below: path + more, or further down. */
static bool ag_field_leads(const char *path, const char *more)
{
    char below[AG_PATH_MAX];
    int n = snprintf(below, sizeof below, "%s%s", path, more);
    if (n < 0 || (size_t)n >= sizeof below)
        return false;
    size_t i = ag_field_bound(below);
    return i < ag_field_count && strncmp(ag_fields[i].path, below, (size_t)n) == 0;
}

__attribute__((format(printf, 3, 4))) static enum kd_code ag_walk_fail(struct ag_walk *w, enum kd_code code, const char *fmt, ...)
{
    char why[KD_STORY_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    return kd_fail_field(w->err, code, w->shown, "%.*s: %s %s", KD_ARG(w->title), w->shown, why);
}

static bool ag_is_whole(const cJSON *value)
{
    return cJSON_IsNumber(value) && value->valuedouble == floor(value->valuedouble) &&
           fabs(value->valuedouble) < 9007199254740992.0;
}

static bool ag_are_texts(const cJSON *value)
{
    for (const cJSON *one = value->child; one; one = one->next)
        if (!cJSON_IsString(one) && !cJSON_IsNull(one))
            return false;
    return cJSON_IsObject(value);
}

/** NULL where the value has the type, else what it must be. */
static const char *ag_type_miss(enum ag_type type, const cJSON *value)
{
    switch (type) {
    case AG_ANY:
        return NULL;
    case AG_TEXT:
        return cJSON_IsString(value) ? NULL : "must be a text (put it in quotes)";
    case AG_NAME:
        return cJSON_IsString(value) && value->valuestring[0] ? NULL : "must be a text that is not empty";
    case AG_NUMBER:
        return ag_is_whole(value) && value->valuedouble >= 0 ? NULL : "must be a whole number, 0 or more";
    case AG_FLAG:
        return cJSON_IsBool(value) ? NULL : "must be true or false";
    case AG_QUANTITY:
        return cJSON_IsString(value) || cJSON_IsNumber(value) ? NULL : "must be a quantity such as 500m or 128Mi";
    case AG_PORT:
        return cJSON_IsString(value) || ag_is_whole(value) ? NULL : "must be the number or the name of a port";
    case AG_TEXTS:
        return ag_are_texts(value) ? NULL : "must be a map of texts (put numbers and flags in quotes)";
    case AG_MAP:
        return cJSON_IsObject(value) ? NULL : "must be a map";
    }
    return NULL;
}

/** Empty values ask for nothing. */
static bool ag_is_empty(const cJSON *value)
{
    return (cJSON_IsString(value) && !value->valuestring[0]) || ((cJSON_IsArray(value) || cJSON_IsObject(value)) && !value->child);
}

static bool ag_is_fine(const char *fine, const cJSON *value)
{
    if (!fine || cJSON_IsString(value))
        return fine && strcmp(fine, value->valuestring) == 0;
    return cJSON_IsBool(value) && strcmp(fine, cJSON_IsTrue(value) ? "true" : "false") == 0;
}

static enum kd_code ag_walk_refuse(struct ag_walk *w, const struct ag_field *field, const cJSON *value)
{
    if (ag_is_empty(value) || ag_is_fine(field->fine, value))
        return KD_OK;
    return ag_walk_fail(w, KD_UNSUPPORTED, "cannot be done on a Podman edge: %s", field->note);
}

static enum kd_code ag_walk_members(struct ag_walk *w, const cJSON *object)
{
    size_t at = strlen(w->at), shown = strlen(w->shown);
    enum kd_code code = KD_OK;
    for (const cJSON *one = object->child; one && code == KD_OK; one = one->next) {
        (void)snprintf(w->at + at, sizeof w->at - at, ".%s", one->string);
        (void)snprintf(w->shown + shown, sizeof w->shown - shown, "%s%s", shown ? "." : "", one->string);
        code = ag_walk_value(w, one);
    }
    w->at[at] = w->shown[shown] = '\0';
    return code;
}

static enum kd_code ag_walk_items(struct ag_walk *w, const cJSON *list)
{
    size_t at = strlen(w->at), shown = strlen(w->shown);
    enum kd_code code = cJSON_IsArray(list) ? KD_OK : ag_walk_fail(w, KD_INVALID, "must be a list");
    int i = 0;
    for (const cJSON *one = list->child; one && code == KD_OK; one = one->next) {
        (void)snprintf(w->at + at, sizeof w->at - at, "[]");
        (void)snprintf(w->shown + shown, sizeof w->shown - shown, "[%d]", i++);
        code = cJSON_IsNull(one) ? ag_walk_fail(w, KD_INVALID, "is empty") : ag_walk_value(w, one);
    }
    w->at[at] = w->shown[shown] = '\0';
    return code;
}

/** What lies below a supported field that is described elsewhere in the table. */
static enum kd_code ag_walk_into(struct ag_walk *w, const char *into, const cJSON *value)
{
    char at[AG_PATH_MAX];
    memcpy(at, w->at, sizeof at);
    (void)snprintf(w->at, sizeof w->at, "%s", into);
    enum kd_code code = ag_walk_members(w, value);
    memcpy(w->at, at, sizeof at);
    return code;
}

static enum kd_code ag_walk_field(struct ag_walk *w, const struct ag_field *field, const cJSON *value)
{
    if (field->verdict == AG_IGNORED)
        return KD_OK;
    if (field->verdict == AG_REFUSED)
        return ag_walk_refuse(w, field, value);
    const char *miss = ag_type_miss(field->type, value);
    if (miss)
        return ag_walk_fail(w, KD_INVALID, "%s", miss);
    return field->into ? ag_walk_into(w, field->into, value) : KD_OK;
}

static enum kd_code ag_walk_inside(struct ag_walk *w, const cJSON *value)
{
    if (ag_field_leads(w->at, "[]"))
        return ag_walk_items(w, value);
    if (ag_field_leads(w->at, "."))
        return cJSON_IsObject(value) ? ag_walk_members(w, value) : ag_walk_fail(w, KD_INVALID, "must be a map");
    if (ag_is_empty(value))
        return KD_OK;
    return ag_walk_fail(w, KD_UNSUPPORTED, "is a field that Kedge does not know on a Podman edge");
}

static enum kd_code ag_walk_value(struct ag_walk *w, const cJSON *value)
{
    if (cJSON_IsNull(value))
        return KD_OK;
    if (w->depth >= AG_WALK_MAX)
        return ag_walk_fail(w, KD_INVALID, "lies too deep");
    w->depth++;
    const struct ag_field *field = ag_field_of(w->at);
    enum kd_code code = field ? ag_walk_field(w, field, value) : ag_walk_inside(w, value);
    w->depth--;
    return code;
}

enum kd_code ag_fields_check(const cJSON *object, const char *kind, struct kd_str title, struct kd_err *err)
{
    struct ag_walk walk = { .title = title, .err = err };
    (void)snprintf(walk.at, sizeof walk.at, "%s", kind);
    return ag_walk_members(&walk, object);
}
