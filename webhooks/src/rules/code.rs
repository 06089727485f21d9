//! The closed set of findings, each with a stable identifier, an explanation and its properties.

mod properties;

pub use properties::{CauseType, Class, FindingScope, Severity, Workload};

use std::fmt;

/// Builds the enum and its tables from one list. A row without one of the properties does not compile.
macro_rules! codes {
    ($($variant:ident $id:literal $severity:ident $class:ident $cause:ident $rank:literal $workload:ident
       $scope:ident $doc:literal)*) => {
        /// What a rule found.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $doc] $variant,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The stable identifier in audit annotations and reports.
            pub const fn id(self) -> &'static str {
                match self { $(Code::$variant => $id,)* }
            }

            /// Whether a finding denies the request or only warns.
            pub const fn severity(self) -> Severity {
                match self { $(Code::$variant => Severity::$severity,)* }
            }

            /// What the code means and why it exists.
            pub const fn explain(self) -> &'static str {
                match self { $(Code::$variant => $doc,)* }
            }

            /// Whether the object or the requester is at fault.
            pub const fn class(self) -> Class {
                match self { $(Code::$variant => Class::$class,)* }
            }

            /// The reason of the cause in a denial.
            pub const fn cause(self) -> CauseType {
                match self { $(Code::$variant => CauseType::$cause,)* }
            }

            /// Findings of a lower rank come first in an answer. Findings of one rank are in the order of their paths.
            pub const fn rank(self) -> u8 {
                match self { $(Code::$variant => $rank,)* }
            }

            /// Whether a session with this finding cannot have a workload. The reconciler creates none for a session
            /// that was admitted all the same.
            pub const fn prevents_workload(self) -> bool {
                matches!(match self { $(Code::$variant => Workload::$workload,)* }, Workload::Prevents)
            }

            /// Whether the finding is about the step from the old object to the new one. Ratcheting never drops such
            /// a finding.
            pub const fn is_about_the_change(self) -> bool {
                matches!(match self { $(Code::$variant => FindingScope::$scope,)* }, FindingScope::Change)
            }
        }
    };
}

// Columns: variant, identifier, severity, class, cause, rank, workload, scope; then the explanation.
//
// The rank is 3 unless clients of an original expect another order. A duration that cannot be read does not prevent the
// workload: it only turns its timeout off.
codes! {
    SpecMissing "spec-missing" Deny Invalid FieldValueInvalid 3 Allows Object
        "The session has no spec. The original accepts it and then fails for ever."
    SpecTooLarge "spec-too-large" Deny Invalid FieldValueInvalid 3 Prevents Object
        "The spec is larger than the operator can keep of every session. The original has no limit, and runs out of memory."
    NamespaceFull "namespace-full" Deny Forbidden FieldValueForbidden 3 Allows Change
        "The sessions of the namespace take as much of the operator's memory as one namespace may. The original has no limit."
    SchemaInvalid "schema-invalid" Deny Invalid FieldValueInvalid 3 Allows Object
        "The object does not have the shape of its kind. On a cluster the schema says so first; offline this does."
    LocationImmutable "location-immutable" Deny Invalid FieldValueInvalid 3 Allows Change
        "`location` was changed. The original refuses it too."
    SessionTypeImmutable "session-type-immutable" Deny Invalid FieldValueInvalid 3 Allows Change
        "`sessionType` was changed. The original refuses it too."
    HostImmutable "host-immutable" Deny Invalid FieldValueInvalid 3 Allows Change
        "`ingress.host` was changed. The original refuses it too."
    RepositoriesImmutable "repositories-immutable" Deny Invalid FieldValueInvalid 3 Allows Change
        "`codeRepositories` was changed, added or removed. The original refuses a change of the list."
    DurationInvalid "duration-invalid" Deny Invalid FieldValueInvalid 3 Allows Object
        "A duration is not one that Go can read. The original accepts the object and then cannot read any session."
    DurationNegative "duration-negative" Deny Invalid FieldValueInvalid 3 Allows Object
        "A duration is negative. The original takes it for off, or, for how long a hibernated session is kept, for at once."
    TimeInvalid "time-invalid" Deny Invalid FieldValueInvalid 3 Allows Object
        "`lastInteraction` is not a moment in RFC 3339. The original accepts some spellings that it then cannot read."
    TimeAhead "time-ahead" Warn Invalid FieldValueInvalid 3 Allows Object
        "`lastInteraction` lies more than five minutes in the future, which is more than clocks are apart. Idle time counts from there, so the session is hibernated later than `maxIdleDuration` says."
    ThresholdInvalid "threshold-invalid" Deny Invalid FieldValueInvalid 3 Allows Object
        "`cpuIdleThreshold` is not a quantity, so nobody can say whether the session is idle. The original refuses it too."
    StartingTooShort "starting-too-short" Deny Invalid FieldValueInvalid 3 Allows Object
        "`maxStartingDuration` ends before the readiness probe can succeed. The original hibernates every run of such a session."
    IdleOutlivesAge "idle-outlives-age" Warn Invalid FieldValueInvalid 3 Allows Object
        "`maxIdleDuration` is not shorter than `maxAge`, so it never decides anything."
    StartingOutlivesAge "starting-outlives-age" Warn Invalid FieldValueInvalid 3 Allows Object
        "`maxStartingDuration` is not shorter than `maxAge`, so it never decides anything."
    AgeBeforeReady "age-before-ready" Warn Invalid FieldValueInvalid 3 Allows Object
        "`maxAge` ends before the readiness probe can succeed, so the session never gets ready."
    IdleNeverSeen "idle-never-seen" Warn Invalid FieldValueInvalid 3 Allows Object
        "`cpuIdleThreshold` is zero, so the session is never idle and `maxIdleDuration` never decides anything."
    CullingIgnored "culling-ignored" Warn Invalid FieldValueInvalid 3 Allows Object
        "A batch session is not culled for idling, starting or failing; these durations do nothing."
    ResultKept "result-kept" Warn Invalid FieldValueInvalid 3 Allows Object
        "A batch session without `maxHibernatedDuration` is kept until somebody deletes it. The original deletes it at once."
    AgeLowered "age-lowered" Warn Invalid FieldValueInvalid 3 Allows Change
        "`maxAge` of a batch session that has started is lowered; its Job's deadline follows."
    AgeAfterEnd "age-after-end" Warn Invalid FieldValueInvalid 3 Allows Change
        "`maxAge` of a batch session that has ended is changed; nothing runs again."
    BatchProbe "batch-probe" Warn Invalid FieldValueInvalid 3 Allows Object
        "A batch session has a readiness probe; a program that opens no port then never shows as Running."
    AuthenticationIgnored "authentication-ignored" Warn Invalid FieldValueInvalid 3 Allows Object
        "A batch session has no proxy; its `authentication` does nothing."
    NameInvalid "name-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "The name cannot be the name of the session's Service or StatefulSet. The original starts a new pod again and again, or one that nobody reaches."
    NameTooLong "name-too-long" Deny Invalid FieldValueInvalid 3 Prevents Object
        "The name is too long for what is derived from it. The original's children are refused by Kubernetes for ever."
    ContainerNameInvalid "container-name-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "A container has no name, or one that Kubernetes refuses. The original's workload is refused for ever."
    ContainerNameTaken "container-name-taken" Deny Invalid FieldValueInvalid 3 Prevents Object
        "Two containers have one name. The original's workload is refused for ever."
    ContainerImageMissing "container-image-missing" Deny Invalid FieldValueInvalid 3 Prevents Object
        "A container has no image. The original's workload is refused for ever."
    ImageInvalid "image-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "An image has white space in it, so that no node can pull it. The original's pod waits for ever."
    VolumeNameInvalid "volume-name-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "A volume has no name, or one that Kubernetes refuses. The original's workload is refused for ever."
    VolumeNameTaken "volume-name-taken" Deny Invalid FieldValueInvalid 3 Prevents Object
        "Two volumes have one name. The original's workload is refused for ever."
    VolumeMissing "volume-missing" Deny Invalid FieldValueInvalid 3 Prevents Object
        "A mount names a volume that the pod does not have. The original's workload is refused for ever."
    MountPathTaken "mount-path-taken" Deny Invalid FieldValueInvalid 3 Prevents Object
        "Two mounts of one container have the same path. The original's workload is refused for ever."
    MountPathMissing "mount-path-missing" Deny Invalid FieldValueInvalid 3 Prevents Object
        "A mount has an empty path. The original's workload is refused for ever."
    MountPathRelative "mount-path-relative" Warn Invalid FieldValueInvalid 3 Allows Object
        "A mount path is relative; it ends up below `/`."
    ReservedPrefix "reserved-prefix" Warn Invalid FieldValueInvalid 3 Allows Object
        "A container or volume has the prefix that the operator uses for its own, so that a later version may collide."
    StorageSizeInvalid "storage-size-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "The session's volume has no size that Kubernetes can read, or none above zero. The original's claim is refused for ever."
    StorageShrinks "storage-shrinks" Warn Invalid FieldValueInvalid 3 Allows Change
        "The session's volume is made smaller, which Kubernetes does not do."
    StorageClassKept "storage-class-kept" Warn Invalid FieldValueInvalid 3 Allows Change
        "The session's volume is given another storage class, which Kubernetes does not do."
    AuthenticationKeyMissing "authentication-key-missing" Deny Invalid FieldValueInvalid 3 Prevents Object
        "`secretRef.key` is missing, so the proxy would have no configuration. The original fails for ever, without a word in the status."
    AuthenticationKeyInvalid "authentication-key-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "`secretRef.key` cannot be a key of a Secret, so the proxy has no configuration. The original's proxy then fails, or is open."
    OidcWithoutIngress "oidc-without-ingress" Deny Invalid FieldValueInvalid 3 Prevents Object
        "`oidc` needs the address of the session for its redirects. The original crashes on it for ever."
    SecretNameMissing "secret-name-missing" Deny Invalid FieldValueInvalid 3 Prevents Object
        "A secret reference has no name. The original's workload is refused, or waits for ever."
    DataSourceSecretMissing "data-source-secret-missing" Deny Invalid FieldValueInvalid 3 Prevents Object
        "A data source has no `secretRef`. The original crashes on it for ever."
    HostInvalid "host-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "`ingress.host` is not a DNS name. The original's Ingress is refused for ever."
    PathPrefixInvalid "path-prefix-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "`ingress.pathPrefix` is not a path that an Ingress can have. The original's Ingress is refused for ever."
    PathOutsidePrefix "path-outside-prefix" Warn Invalid FieldValueInvalid 3 Allows Object
        "`urlPath` does not lie under `ingress.pathPrefix`, so the session's URL leads elsewhere."
    RemoteWithoutIngress "remote-without-ingress" Warn Invalid FieldValueInvalid 3 Allows Object
        "A remote session reaches its pod through the Ingress; without one it never gets ready."
    TemplateInvalid "template-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "A label or annotation of `template` is not one that Kubernetes accepts. The original's children are refused for ever."
    ContainerInvalid "container-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "A field of a container has a value that Kubernetes refuses. The original's workload is refused for ever."
    ListKeyTwice "list-key-twice" Warn Invalid FieldValueInvalid 3 Allows Object
        "Two items of a list have the key by which Kubernetes tells them apart, such as two variables of one name. Only the last one counts, as with the original."
    EnvironmentInvalid "environment-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "A variable of a container, or where it comes from, is not one that Kubernetes accepts. The original's workload is refused for ever."
    ContainerPortInvalid "container-port-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "A port of a container is not one that Kubernetes accepts. The original's workload is refused for ever."
    ProbeInvalid "probe-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "A probe or a lifecycle hook is not one that Kubernetes accepts. The original's workload is refused for ever."
    ResourcesInvalid "resources-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "Requests and limits of a container are not ones that Kubernetes accepts. The original's workload is refused for ever."
    SecurityContextInvalid "security-context-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "A security context is not one that Kubernetes accepts. The original's workload is refused for ever."
    MountInvalid "mount-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "A mount or device of a container is not one that Kubernetes accepts. The original's workload is refused for ever."
    VolumeInvalid "volume-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "A volume has no source, several, or one that Kubernetes refuses. The original's workload is refused for ever."
    TolerationInvalid "toleration-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "A toleration is not one that Kubernetes accepts. The original's workload is refused for ever."
    SelectorInvalid "selector-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "A node selector, an affinity or a topology constraint is not one that Kubernetes accepts. The original's workload is refused for ever."
    ReferenceInvalid "reference-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "The name of an account, a class, a secret or a config map is not one that such an object can have. The original's children are refused for ever."
    PodInvalid "pod-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "A field of the pod has a value that Kubernetes refuses. The original's workload is refused for ever."
    ClaimInvalid "claim-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "The claim of a volume is not one that Kubernetes accepts. The original's claim is refused for ever."
    IngressInvalid "ingress-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "A field of the Ingress or the Service has a value that Kubernetes refuses. The original's child is refused for ever."
    OperatorCredentials "operator-credentials" Deny Forbidden FieldValueForbidden 3 Prevents Object
        "A session in the operator's own namespace uses the operator's service account or one of its Secrets. With these the webhooks could be taken out."
    RouteTaken "route-taken" Warn Invalid FieldValueInvalid 3 Allows Change
        "Another session has the same `ingress.host` and `ingress.pathPrefix`, so one of both is not reached. The setting `ingress.conflicts` says whether it is refused. The original admits it silently."
    PodSecurityViolated "pod-security-violated" Warn Invalid FieldValueForbidden 3 Allows Object
        "The namespace enforces a Pod Security Standard that does not allow the pod of a session. The original's workload is refused its pod, in one sentence about all containers. What the operator adds itself complies with the setting `sessions.podSecurity: Restricted`."
    AdoptionForbidden "adoption-forbidden" Deny Forbidden FieldValueForbidden 3 Allows Change
        "The requester may not delete the secret that the session is to adopt. The original deletes any secret for anybody."
    TooManyAdoptions "too-many-adoptions" Deny Invalid FieldValueInvalid 3 Allows Change
        "The session is to adopt more secrets at once than it can be asked about whether the requester may delete them. The original deletes any number of secrets for anybody."
    JobSessionUnknown "job-session-unknown" Warn Invalid FieldValueInvalid 3 Allows Object
        "The Job claims a session that does not exist, so nothing is known about its lifetime."
    JobDeadlineTooShort "job-deadline-too-short" Deny Invalid FieldValueInvalid 3 Allows Object
        "The Job would end before its session may. The original has no guard and the session fails early."
    JobDeadlineRemoved "job-deadline-removed" Deny Invalid FieldValueInvalid 3 Allows Change
        "The Job's deadline was removed although its session's lifetime is limited. The original has no guard."
    JobResumed "job-resumed" Deny Forbidden FieldValueForbidden 3 Allows Change
        "A Job was resumed while its session is hibernated. The original runs it behind the session's back."
    JobOwnerChanged "job-owner-changed" Deny Forbidden FieldValueForbidden 3 Allows Change
        "The Job's owner was changed, so that the session loses it. The original runs the session again."
    JobLabelsChanged "job-labels-changed" Deny Forbidden FieldValueForbidden 3 Allows Change
        "Labels that tie the Job to its session were changed. The original loses sight of it."
    JobResultDropped "job-result-dropped" Deny Forbidden FieldValueForbidden 3 Allows Change
        "The finalizer that keeps a Job until its result is recorded was removed. The original has none and loses results."
    LaunchConfigurationsImmutable "launch-configurations-immutable" Deny Invalid FieldValueForbidden 0 Allows Change
        "`launchConfigurations` of an IdeSession was changed, be it by a blank. The original refuses it too."
    DesiredStateFinal "desired-state-final" Deny Invalid FieldValueForbidden 1 Allows Change
        "An IdeSession that was asked to stop is asked for something else. The original refuses it too."
    LaunchConfigurationsMissing "launch-configurations-missing" Deny Invalid FieldValueRequired 2 Allows Object
        "An IdeSession has no `launchConfigurations`. The original refuses it too."
    LaunchConfigurationsUnreadable "launch-configurations-unreadable" Deny Invalid FieldValueInvalid 2 Allows Object
        "`launchConfigurations` of an IdeSession is not JSON. The original refuses it too."
    LaunchConfigurationsEmpty "launch-configurations-empty" Deny Invalid FieldValueInvalid 2 Allows Object
        "`launchConfigurations` of an IdeSession holds no object in a list. The original accepts it, and the session fails when it is to start."
    DesiredStateUnknown "desired-state-unknown" Deny Invalid FieldValueInvalid 3 Allows Object
        "`desiredState` of an IdeSession is not one that can be asked for. The original refuses it too."
    StoppedBeforeStart "stopped-before-start" Warn Invalid FieldValueInvalid 3 Allows Object
        "An IdeSession that never ran is asked to stop, so it can never start. Its state stays empty, and who waits for `Stopped` waits for ever."
    DesiredStateIgnored "desired-state-ignored" Warn Invalid FieldValueInvalid 3 Allows Change
        "`Running` is taken back from an IdeSession that runs. It goes on; only `Stopped` ends it."
    EndpointInvalid "endpoint-invalid" Deny Invalid FieldValueInvalid 3 Allows Object
        "The annotation that says which IDE a session is for does not name a Secret. The original knows one IDE only."
    EndpointImmutable "endpoint-immutable" Deny Invalid FieldValueInvalid 3 Allows Change
        "An IdeSession that was asked to run is moved to another IDE, which knows nothing of it. The original knows one IDE only."
    EndpointForbidden "endpoint-forbidden" Deny Forbidden FieldValueForbidden 3 Allows Change
        "The requester may not read the Secret of the IDE that the session is for. The original knows one IDE only."
    WorkspaceIdInvalid "workspace-id-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "The workspace ID of a Notebook cannot be a part of a name. agentserver refuses it in the same words at every start."
    WorkspaceIdTooLong "workspace-id-too-long" Deny Invalid FieldValueInvalid 3 Prevents Object
        "The name that is made of a Notebook's workspace ID is too long for a Service. agentserver refuses it in the same words at every start."
    ServerNameInvalid "server-name-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "The server name of a Notebook cannot be a part of a name."
    NotebookIdentityImmutable "notebook-identity-immutable" Deny Invalid FieldValueInvalid 3 Allows Change
        "What tells a Notebook from others was changed, added or removed. Deployment, Service and claim are found by it, so the old ones would be left behind."
    ProfileNameInvalid "profile-name-invalid" Deny Invalid FieldValueInvalid 3 Allows Object
        "`profile` of a Notebook is a name that no object can have."
    DurationNotPositive "duration-not-positive" Deny Invalid FieldValueInvalid 3 Allows Object
        "A duration of a Notebook is zero or negative. agentserver takes zero for its default; a negative one fails every start, or stops every notebook."
    IdleTooShort "idle-too-short" Deny Invalid FieldValueInvalid 3 Allows Object
        "`idle.ttl` of a Notebook is shorter than a second, so that it would be stopped while it is used."
    IdleBeforeReady "idle-before-ready" Warn Invalid FieldValueInvalid 3 Allows Object
        "`idle.ttl` of a Notebook is not longer than `readyTimeout`, so that a slow start counts as idle."
    IdleOutlivesLifetime "idle-outlives-lifetime" Warn Invalid FieldValueInvalid 3 Allows Object
        "`idle.ttl` of a Notebook is not shorter than `maxLifetime`, so it never decides anything."
    LifetimeBeforeReady "lifetime-before-ready" Warn Invalid FieldValueInvalid 3 Allows Object
        "`maxLifetime` of a Notebook is not longer than `readyTimeout`, so that a slow start is cut short."
    LifetimeLowered "lifetime-lowered" Warn Invalid FieldValueInvalid 3 Allows Change
        "`maxLifetime` of a Notebook that runs is lowered to less than it has run, so it is stopped at once."
    ProbeRarerThanIdle "probe-rarer-than-idle" Warn Invalid FieldValueInvalid 3 Allows Object
        "`idle.probeInterval` of a Notebook is not shorter than `idle.ttl`, so that only the probe right before the stop decides."
    ProbeIgnored "probe-ignored" Warn Invalid FieldValueInvalid 3 Allows Object
        "What is set about asking the server of a Notebook does nothing with the idle source `Touch`."
    ProbeHeaderInvalid "probe-header-invalid" Deny Invalid FieldValueInvalid 3 Allows Object
        "A header for asking the server of a Notebook cannot be sent, so that the server could never be asked."
    QuantityInvalid "quantity-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "A request, limit or size is not a quantity, or is negative. agentserver crashes on it."
    PlaceholderUnknown "placeholder-unknown" Deny Invalid FieldValueInvalid 3 Prevents Object
        "A placeholder is not one that is replaced, and cannot be meant as it stands. agentserver passes it on."
    PlaceholderKept "placeholder-kept" Warn Invalid FieldValueInvalid 3 Allows Object
        "What looks like a placeholder in a variable is not one, and is passed on as it is, as agentserver does."
    EnvNameInvalid "env-name-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "A variable has no name, or one that Kubernetes refuses."
    EnvNameTaken "env-name-taken" Deny Invalid FieldValueInvalid 3 Prevents Object
        "A variable is set twice. agentserver keeps them in a map, where that cannot be."
    PortInvalid "port-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "`port` of a Notebook is not a port."
    ClaimAmbiguous "claim-ambiguous" Deny Invalid FieldValueInvalid 3 Prevents Object
        "A Notebook names a claim and has a template for one, so that it is not clear where the files are."
    ClaimNameInvalid "claim-name-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "The claim that a Notebook names cannot exist. agentserver's pod waits for it for ever."
    ClaimModesInvalid "claim-modes-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "The claim template of a Notebook has no access modes, or some that Kubernetes refuses."
    ClaimTemplateChanged "claim-template-changed" Warn Invalid FieldValueInvalid 3 Allows Change
        "The claim template of a Notebook was changed after the claim was made, which stays as it is."
    ReclaimIgnored "reclaim-ignored" Warn Invalid FieldValueInvalid 3 Allows Object
        "`reclaim: Delete` without a claim template does nothing: a claim that was there before is kept."
    NetworkPolicyIgnored "network-policy-ignored" Warn Invalid FieldValueInvalid 3 Allows Object
        "What is set about connections of a Notebook does nothing with the mode `Unmanaged`."
    NetworkPolicyClosed "network-policy-closed" Warn Invalid FieldValueInvalid 3 Allows Object
        "The managed network policy of a Notebook lets nobody in but the operator."
    OverlayLabelFixed "overlay-label-fixed" Deny Invalid FieldValueInvalid 3 Prevents Object
        "The pod template of a Notebook sets a label that the operator sets, and by which the pod is found."
    OverlayEndsPod "overlay-ends-pod" Deny Invalid FieldValueInvalid 3 Prevents Object
        "The pod template of a Notebook lets the pod end, which Kubernetes refuses in a Deployment."
    DesiredPhaseUnknown "desired-phase-unknown" Deny Invalid FieldValueInvalid 3 Allows Object
        "An AgenticSession is asked for a phase that nobody can ask for. The original accepts it and does nothing."
    StartAndStop "start-and-stop" Deny Invalid FieldValueInvalid 3 Allows Change
        "One write asks an AgenticSession to start and to stop. The original looks at the phase alone and forgets the rest."
    RequestWithoutPhase "request-without-phase" Warn Invalid FieldValueInvalid 3 Allows Change
        "It is noted on an AgenticSession when or why it was asked for something, but not for what, so nothing happens."
    StopReasonUnknown "stop-reason-unknown" Warn Invalid FieldValueInvalid 3 Allows Object
        "The reason to stop an AgenticSession is none that is known. It is reported as the user's."
    AnnotationNotTrue "annotation-not-true" Warn Invalid FieldValueInvalid 3 Allows Object
        "An annotation of an AgenticSession that counts only as `true` has another value, so it does nothing."
    UserContextImmutable "user-context-immutable" Deny Invalid FieldValueInvalid 3 Allows Change
        "`userContext` of an AgenticSession was changed, added or removed. The original accepts it, and the session goes on with the credentials of another user."
    ContentUnreachable "content-unreachable" Warn Invalid FieldValueInvalid 3 Allows Object
        "The name of an AgenticSession leaves no room for the Service by which its files are reached when it has ended."
    ParentInvalid "parent-invalid" Warn Invalid FieldValueInvalid 3 Allows Object
        "An AgenticSession continues one of a name that no session can have, so it begins anew."
    ParentIsItself "parent-is-itself" Warn Invalid FieldValueInvalid 3 Allows Object
        "A new AgenticSession continues itself, so it begins anew."
    ParentUnclear "parent-unclear" Warn Invalid FieldValueInvalid 3 Allows Object
        "Annotation and variable of an AgenticSession name different sessions to continue. The annotation decides."
    EnvNameOdd "env-name-odd" Warn Invalid FieldValueInvalid 3 Allows Object
        "A variable of an AgenticSession has a name that older clusters refuse and that shells cannot read."
    EnvValueUnusable "env-value-unusable" Warn Invalid FieldValueInvalid 3 Allows Object
        "A variable of an AgenticSession, or its prompt, is too long or holds a NUL, so that most nodes cannot start a process with it. The original's container fails for ever."
    EnvIgnored "env-ignored" Warn Invalid FieldValueInvalid 3 Allows Object
        "A variable of an AgenticSession is one that the operator never gives away. Its value does nothing."
    EnvReserved "env-reserved" Warn Invalid FieldValueInvalid 3 Allows Object
        "A variable of an AgenticSession replaces one that the operator makes for the runner. The original lets it, and the runner may lose its session."
    StateDirInvalid "state-dir-invalid" Deny Invalid FieldValueInvalid 3 Prevents Object
        "`RUNNER_STATE_DIR` of an AgenticSession does not lie in the workspace. The original's pod is refused for ever."
    TimeoutNegative "timeout-negative" Warn Invalid FieldValueInvalid 3 Allows Object
        "`timeout` of an AgenticSession is negative. It counts as no limit, as zero does."
    TimeoutOutlivesJob "timeout-outlives-job" Warn Invalid FieldValueInvalid 3 Allows Object
        "`timeout` of an AgenticSession is longer than any session may live, so it never decides anything."
    InactivityOutlivesSession "inactivity-outlives-session" Warn Invalid FieldValueInvalid 3 Allows Object
        "`inactivityTimeout` of an AgenticSession is not shorter than the session may live, so it never decides anything."
    TemperatureOutOfRange "temperature-out-of-range" Warn Invalid FieldValueInvalid 3 Allows Object
        "`temperature` of an AgenticSession is one that no model takes."
    MaxTokensTooFew "max-tokens-too-few" Warn Invalid FieldValueInvalid 3 Allows Object
        "`maxTokens` of an AgenticSession leaves no room for an answer."
    RepositoryUrlOdd "repository-url-odd" Warn Invalid FieldValueInvalid 3 Allows Object
        "A repository has a URL that git cannot clone. The original goes on without it."
    RepositoryCredentials "repository-credentials" Warn Invalid FieldValueInvalid 3 Allows Object
        "A repository has a password in its URL, which whoever may read the object sees."
    RepositoryTwice "repository-twice" Warn Invalid FieldValueInvalid 3 Allows Object
        "A repository is there twice. The last one counts."
    RepositoryNameTaken "repository-name-taken" Warn Invalid FieldValueInvalid 3 Allows Object
        "Two repositories are cloned into one directory. Only one will be there."
    WorkflowPathOutside "workflow-path-outside" Warn Invalid FieldValueInvalid 3 Allows Object
        "The path of a workflow does not lie in its repository."
    SettingsNameOther "settings-name-other" Deny Invalid FieldValueInvalid 3 Allows Object
        "ProjectSettings have another name than `projectsettings`. The original refuses it too."
    GroupNameInvalid "group-name-invalid" Deny Invalid FieldValueInvalid 3 Allows Object
        "The name of a group cannot stand in the name of its RoleBinding. The original tries for ever to make it, and the group gets nothing."
    GroupNameMissing "group-name-missing" Warn Invalid FieldValueInvalid 3 Allows Object
        "An entry of `groupAccess` has no group. It is skipped."
    GroupTwice "group-twice" Warn Invalid FieldValueInvalid 3 Allows Object
        "A group is given the same role twice. The second one does nothing."
    RunnerSecretIgnored "runner-secret-ignored" Warn Invalid FieldValueInvalid 3 Allows Object
        "`runnerSecretsName` is not read: the secret with the model's keys has one name in every project."
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_distinct_and_kebab_case() {
        let ids: std::collections::BTreeSet<_> = Code::ALL.iter().map(|code| code.id()).collect();
        assert_eq!(ids.len(), Code::ALL.len());
        assert!(ids.iter().all(|id| id.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
    }
}
