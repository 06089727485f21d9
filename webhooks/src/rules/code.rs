//! The closed set of things that can be found, each with a stable identifier, a severity and an explanation.

mod properties;

pub use properties::Class;

use std::fmt;

use crate::finding::Severity::{self, Deny, Warn};

/// Builds the enum and its tables from one list, so that no code can be without severity or explanation.
macro_rules! codes {
    ($($variant:ident $id:literal $severity:ident $doc:literal)*) => {
        /// What was found.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $doc] $variant,)*
        }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The stable identifier, as it appears in audit annotations and reports.
            pub const fn id(self) -> &'static str {
                match self { $(Code::$variant => $id,)* }
            }

            /// How bad a finding with this code is.
            pub const fn severity(self) -> Severity {
                match self { $(Code::$variant => $severity,)* }
            }

            /// What the code means and why it exists.
            pub const fn explain(self) -> &'static str {
                match self { $(Code::$variant => $doc,)* }
            }
        }
    };
}

codes! {
    SpecMissing "spec-missing" Deny
        "The session has no spec. The original accepts it and then fails for ever."
    SchemaInvalid "schema-invalid" Deny
        "The object does not have the shape of its kind. On a cluster the schema says so first; offline this does."
    LocationImmutable "location-immutable" Deny
        "`location` was changed. The original refuses it too."
    SessionTypeImmutable "session-type-immutable" Deny
        "`sessionType` was changed. The original refuses it too."
    HostImmutable "host-immutable" Deny
        "`ingress.host` was changed. The original refuses it too."
    RepositoriesImmutable "repositories-immutable" Deny
        "`codeRepositories` was changed, added or removed. The original refuses a change of the list."
    DurationInvalid "duration-invalid" Deny
        "A duration is not one that Go can read. The original accepts the object and then cannot read any session."
    DurationNegative "duration-negative" Deny
        "A duration is negative. The original takes it for off, or, for how long a hibernated session is kept, for at once."
    TimeInvalid "time-invalid" Deny
        "`lastInteraction` is not a moment in RFC 3339. The original accepts some spellings that it then cannot read."
    StartingTooShort "starting-too-short" Deny
        "`maxStartingDuration` ends before the readiness probe can succeed. The original hibernates every run of such a session."
    IdleOutlivesAge "idle-outlives-age" Warn
        "`maxIdleDuration` is not shorter than `maxAge`, so it never decides anything."
    StartingOutlivesAge "starting-outlives-age" Warn
        "`maxStartingDuration` is not shorter than `maxAge`, so it never decides anything."
    AgeBeforeReady "age-before-ready" Warn
        "`maxAge` ends before the readiness probe can succeed, so the session never gets ready."
    IdleNeverSeen "idle-never-seen" Warn
        "`cpuIdleThreshold` is zero, so the session is never idle and `maxIdleDuration` never decides anything."
    CullingIgnored "culling-ignored" Warn
        "A batch session is not culled for idling, starting or failing; these durations do nothing."
    ResultKept "result-kept" Warn
        "A batch session without `maxHibernatedDuration` is kept until somebody deletes it. The original deletes it at once."
    AgeLowered "age-lowered" Warn
        "`maxAge` of a batch session that has started is lowered; its Job's deadline follows."
    AgeAfterEnd "age-after-end" Warn
        "`maxAge` of a batch session that has ended is changed; nothing runs again."
    BatchProbe "batch-probe" Warn
        "A batch session has a readiness probe; a program that opens no port then never shows as Running."
    AuthenticationIgnored "authentication-ignored" Warn
        "A batch session has no proxy; its `authentication` does nothing."
    NameInvalid "name-invalid" Deny
        "The name cannot be the name of the session's Service or StatefulSet. The original starts a new pod again and again, or one that nobody reaches."
    NameTooLong "name-too-long" Deny
        "The name is too long for what is derived from it. The original's children are refused by Kubernetes for ever."
    ContainerNameInvalid "container-name-invalid" Deny
        "A container has no name, or one that Kubernetes refuses. The original's workload is refused for ever."
    ContainerNameTaken "container-name-taken" Deny
        "Two containers have one name. The original's workload is refused for ever."
    ContainerImageMissing "container-image-missing" Deny
        "A container has no image. The original's workload is refused for ever."
    VolumeNameInvalid "volume-name-invalid" Deny
        "A volume has no name, or one that Kubernetes refuses. The original's workload is refused for ever."
    VolumeNameTaken "volume-name-taken" Deny
        "Two volumes have one name. The original's workload is refused for ever."
    VolumeMissing "volume-missing" Deny
        "A mount names a volume that the pod does not have. The original's workload is refused for ever."
    MountPathTaken "mount-path-taken" Deny
        "Two mounts of one container have the same path. The original's workload is refused for ever."
    MountPathMissing "mount-path-missing" Deny
        "A mount has an empty path. The original's workload is refused for ever."
    MountPathRelative "mount-path-relative" Warn
        "A mount path is relative; it ends up below `/`."
    ReservedPrefix "reserved-prefix" Warn
        "A container or volume has the prefix that the operator uses for its own, so that a later version may collide."
    StorageSizeInvalid "storage-size-invalid" Deny
        "The session's volume has no size above zero. The original's claim is refused for ever."
    StorageShrinks "storage-shrinks" Warn
        "The session's volume is made smaller, which Kubernetes does not do."
    AuthenticationKeyMissing "authentication-key-missing" Deny
        "`secretRef.key` is missing, so the proxy would have no configuration. The original fails for ever, without a word in the status."
    AuthenticationKeyInvalid "authentication-key-invalid" Deny
        "`secretRef.key` cannot be a key of a Secret, so the proxy has no configuration. The original's proxy then fails, or is open."
    OidcWithoutIngress "oidc-without-ingress" Deny
        "`oidc` needs the address of the session for its redirects. The original crashes on it for ever."
    SecretNameMissing "secret-name-missing" Deny
        "A secret reference has no name. The original's workload is refused, or waits for ever."
    DataSourceSecretMissing "data-source-secret-missing" Deny
        "A data source has no `secretRef`. The original crashes on it for ever."
    HostInvalid "host-invalid" Deny
        "`ingress.host` is not a DNS name. The original's Ingress is refused for ever."
    PathPrefixInvalid "path-prefix-invalid" Deny
        "`ingress.pathPrefix` is not a path that an Ingress can have. The original's Ingress is refused for ever."
    PathOutsidePrefix "path-outside-prefix" Warn
        "`urlPath` does not lie under `ingress.pathPrefix`, so the session's URL leads elsewhere."
    RemoteWithoutIngress "remote-without-ingress" Warn
        "A remote session reaches its pod through the Ingress; without one it never gets ready."
    TemplateInvalid "template-invalid" Deny
        "A label or annotation of `template` is not one that Kubernetes accepts. The original's children are refused for ever."
    AdoptionForbidden "adoption-forbidden" Deny
        "The requester may not delete the secret that the session is to adopt. The original deletes any secret for anybody."
    JobSessionUnknown "job-session-unknown" Warn
        "The Job claims a session that does not exist, so nothing is known about its lifetime."
    JobDeadlineTooShort "job-deadline-too-short" Deny
        "The Job would end before its session may. The original has no guard and the session fails early."
    JobDeadlineRemoved "job-deadline-removed" Deny
        "The Job's deadline was removed although its session's lifetime is limited. The original has no guard."
    JobResumed "job-resumed" Deny
        "A Job was resumed while its session is hibernated. The original runs it behind the session's back."
    JobOwnerChanged "job-owner-changed" Deny
        "The Job's owner was changed, so that the session loses it. The original runs the session again."
    JobLabelsChanged "job-labels-changed" Deny
        "Labels that tie the Job to its session were changed. The original loses sight of it."
    JobResultDropped "job-result-dropped" Deny
        "The finalizer that keeps a Job until its result is recorded was removed. The original has none and loses results."
    LaunchConfigurationsImmutable "launch-configurations-immutable" Deny
        "`launchConfigurations` of an IdeSession was changed, be it by a blank. The original refuses it too."
    DesiredStateFinal "desired-state-final" Deny
        "An IdeSession that was asked to stop is asked for something else. The original refuses it too."
    LaunchConfigurationsMissing "launch-configurations-missing" Deny
        "An IdeSession has no `launchConfigurations`. The original refuses it too."
    LaunchConfigurationsUnreadable "launch-configurations-unreadable" Deny
        "`launchConfigurations` of an IdeSession is not JSON. The original refuses it too."
    LaunchConfigurationsEmpty "launch-configurations-empty" Deny
        "`launchConfigurations` of an IdeSession holds no object in a list. The original accepts it, and the session fails when it is to start."
    DesiredStateUnknown "desired-state-unknown" Deny
        "`desiredState` of an IdeSession is not one that can be asked for. The original refuses it too."
    StoppedBeforeStart "stopped-before-start" Warn
        "An IdeSession that never ran is asked to stop, so it can never start. Its state stays empty, and who waits for `Stopped` waits for ever."
    DesiredStateIgnored "desired-state-ignored" Warn
        "`Running` is taken back from an IdeSession that runs. It goes on; only `Stopped` ends it."
    EndpointInvalid "endpoint-invalid" Deny
        "The annotation that says which IDE a session is for does not name a Secret. The original knows one IDE only."
    EndpointImmutable "endpoint-immutable" Deny
        "An IdeSession that was asked to run is moved to another IDE, which knows nothing of it. The original knows one IDE only."
    EndpointForbidden "endpoint-forbidden" Deny
        "The requester may not read the Secret of the IDE that the session is for. The original knows one IDE only."
    WorkspaceIdInvalid "workspace-id-invalid" Deny
        "The workspace ID of a Notebook cannot be a part of a name. agentserver refuses it in the same words at every start."
    WorkspaceIdTooLong "workspace-id-too-long" Deny
        "The name that is made of a Notebook's workspace ID is too long for a Service. agentserver refuses it in the same words at every start."
    ServerNameInvalid "server-name-invalid" Deny
        "The server name of a Notebook cannot be a part of a name."
    NotebookIdentityImmutable "notebook-identity-immutable" Deny
        "What tells a Notebook from others was changed, added or removed. Deployment, Service and claim are found by it, so the old ones would be left behind."
    ProfileNameInvalid "profile-name-invalid" Deny
        "`profile` of a Notebook is a name that no object can have."
    DurationNotPositive "duration-not-positive" Deny
        "A duration of a Notebook is zero or negative. agentserver takes zero for its default; a negative one fails every start, or stops every notebook."
    IdleTooShort "idle-too-short" Deny
        "`idle.ttl` of a Notebook is shorter than a second, so that it would be stopped while it is used."
    IdleBeforeReady "idle-before-ready" Warn
        "`idle.ttl` of a Notebook is not longer than `readyTimeout`, so that a slow start counts as idle."
    IdleOutlivesLifetime "idle-outlives-lifetime" Warn
        "`idle.ttl` of a Notebook is not shorter than `maxLifetime`, so it never decides anything."
    LifetimeBeforeReady "lifetime-before-ready" Warn
        "`maxLifetime` of a Notebook is not longer than `readyTimeout`, so that a slow start is cut short."
    LifetimeLowered "lifetime-lowered" Warn
        "`maxLifetime` of a Notebook that runs is lowered to less than it has run, so it is stopped at once."
    ProbeRarerThanIdle "probe-rarer-than-idle" Warn
        "`idle.probeInterval` of a Notebook is not shorter than `idle.ttl`, so that only the probe right before the stop decides."
    ProbeIgnored "probe-ignored" Warn
        "What is set about asking the server of a Notebook does nothing with the idle source `Touch`."
    ProbeHeaderInvalid "probe-header-invalid" Deny
        "A header for asking the server of a Notebook cannot be sent, so that the server could never be asked."
    QuantityInvalid "quantity-invalid" Deny
        "A request, limit or size is not a quantity, or is negative. agentserver crashes on it."
    RequestExceedsLimit "request-exceeds-limit" Deny
        "A request is larger than its limit. Kubernetes refuses the workload for ever."
    PlaceholderUnknown "placeholder-unknown" Deny
        "A placeholder is not one that is replaced, and cannot be meant as it stands. agentserver passes it on."
    PlaceholderKept "placeholder-kept" Warn
        "What looks like a placeholder in a variable is not one, and is passed on as it is, as agentserver does."
    EnvNameInvalid "env-name-invalid" Deny
        "A variable has no name, or one that Kubernetes refuses."
    EnvNameTaken "env-name-taken" Deny
        "A variable is set twice. agentserver keeps them in a map, where that cannot be."
    EnvValueAmbiguous "env-value-ambiguous" Deny
        "A variable has both `value` and `valueFrom`. Kubernetes refuses the workload for ever."
    PortInvalid "port-invalid" Deny
        "`port` of a Notebook is not a port."
    ClaimAmbiguous "claim-ambiguous" Deny
        "A Notebook names a claim and has a template for one, so that it is not clear where the files are."
    ClaimNameInvalid "claim-name-invalid" Deny
        "The claim that a Notebook names cannot exist. agentserver's pod waits for it for ever."
    ClaimModesInvalid "claim-modes-invalid" Deny
        "The claim template of a Notebook has no access modes, or some that Kubernetes refuses."
    ClaimTemplateChanged "claim-template-changed" Warn
        "The claim template of a Notebook was changed after the claim was made, which stays as it is."
    ReclaimIgnored "reclaim-ignored" Warn
        "`reclaim: Delete` without a claim template does nothing: a claim that was there before is kept."
    NetworkPolicyIgnored "network-policy-ignored" Warn
        "What is set about connections of a Notebook does nothing with the mode `Unmanaged`."
    NetworkPolicyClosed "network-policy-closed" Warn
        "The managed network policy of a Notebook lets nobody in but the operator."
    OverlayLabelFixed "overlay-label-fixed" Deny
        "The pod template of a Notebook sets a label that the operator sets, and by which the pod is found."
    OverlayEndsPod "overlay-ends-pod" Deny
        "The pod template of a Notebook lets the pod end, which Kubernetes refuses in a Deployment."
    DesiredPhaseUnknown "desired-phase-unknown" Deny
        "An AgenticSession is asked for a phase that nobody can ask for. The original accepts it and does nothing."
    StartAndStop "start-and-stop" Deny
        "One write asks an AgenticSession to start and to stop. The original looks at the phase alone and forgets the rest."
    RequestWithoutPhase "request-without-phase" Warn
        "It is noted on an AgenticSession when or why it was asked for something, but not for what, so nothing happens."
    StopReasonUnknown "stop-reason-unknown" Warn
        "The reason to stop an AgenticSession is none that is known. It is reported as the user's."
    AnnotationNotTrue "annotation-not-true" Warn
        "An annotation of an AgenticSession that counts only as `true` has another value, so it does nothing."
    UserContextImmutable "user-context-immutable" Deny
        "`userContext` of an AgenticSession was changed, added or removed. The original accepts it, and the session goes on with the credentials of another user."
    ContentUnreachable "content-unreachable" Warn
        "The name of an AgenticSession leaves no room for the Service by which its files are reached when it has ended."
    ParentInvalid "parent-invalid" Warn
        "An AgenticSession continues one of a name that no session can have, so it begins anew."
    ParentIsItself "parent-is-itself" Warn
        "A new AgenticSession continues itself, so it begins anew."
    ParentUnclear "parent-unclear" Warn
        "Annotation and variable of an AgenticSession name different sessions to continue. The annotation decides."
    EnvNameOdd "env-name-odd" Warn
        "A variable of an AgenticSession has a name that older clusters refuse and that shells cannot read."
    EnvIgnored "env-ignored" Warn
        "A variable of an AgenticSession is one that the operator never gives away. Its value does nothing."
    EnvReserved "env-reserved" Warn
        "A variable of an AgenticSession replaces one that the operator makes for the runner. The original lets it, and the runner may lose its session."
    StateDirInvalid "state-dir-invalid" Deny
        "`RUNNER_STATE_DIR` of an AgenticSession does not lie in the workspace. The original's pod is refused for ever."
    TimeoutNegative "timeout-negative" Warn
        "`timeout` of an AgenticSession is negative. It counts as no limit, as zero does."
    TimeoutOutlivesJob "timeout-outlives-job" Warn
        "`timeout` of an AgenticSession is longer than any session may live, so it never decides anything."
    InactivityOutlivesSession "inactivity-outlives-session" Warn
        "`inactivityTimeout` of an AgenticSession is not shorter than the session may live, so it never decides anything."
    TemperatureOutOfRange "temperature-out-of-range" Warn
        "`temperature` of an AgenticSession is one that no model takes."
    MaxTokensTooFew "max-tokens-too-few" Warn
        "`maxTokens` of an AgenticSession leaves no room for an answer."
    RepositoryUrlOdd "repository-url-odd" Warn
        "A repository has a URL that git cannot clone. The original goes on without it."
    RepositoryCredentials "repository-credentials" Warn
        "A repository has a password in its URL, which whoever may read the object sees."
    RepositoryTwice "repository-twice" Warn
        "A repository is there twice. The last one counts."
    RepositoryNameTaken "repository-name-taken" Warn
        "Two repositories are cloned into one directory. Only one will be there."
    WorkflowPathOutside "workflow-path-outside" Warn
        "The path of a workflow does not lie in its repository."
    SettingsNameOther "settings-name-other" Deny
        "ProjectSettings have another name than `projectsettings`. The original refuses it too."
    GroupNameInvalid "group-name-invalid" Deny
        "The name of a group cannot stand in the name of its RoleBinding. The original tries for ever to make it, and the group gets nothing."
    GroupNameMissing "group-name-missing" Warn
        "An entry of `groupAccess` has no group. It is skipped."
    GroupTwice "group-twice" Warn
        "A group is given the same role twice. The second one does nothing."
    RunnerSecretIgnored "runner-secret-ignored" Warn
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
