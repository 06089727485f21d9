//! What follows from a code: how a refusal is answered, in which order it is told, and what it means for an object that
//! got past admission.

use super::Code;

/// Whether a refusal is about the object or about who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The object is wrong: 422.
    Invalid,
    /// The requester may not: 403.
    Forbidden,
}

impl Code {
    /// Whether this is about the object or about who asks.
    pub const fn class(self) -> Class {
        match self {
            Code::AdoptionForbidden
            | Code::JobResumed
            | Code::JobOwnerChanged
            | Code::JobLabelsChanged
            | Code::JobResultDropped
            | Code::EndpointForbidden => Class::Forbidden,
            _ => Class::Invalid,
        }
    }

    /// The reason that a refusal's cause gives, one of those that Kubernetes knows.
    pub const fn cause(self) -> &'static str {
        match (self, self.class()) {
            (Code::LaunchConfigurationsMissing, _) => "FieldValueRequired",
            (Code::LaunchConfigurationsImmutable | Code::DesiredStateFinal, _) => "FieldValueForbidden",
            (_, Class::Forbidden) => "FieldValueForbidden",
            (_, Class::Invalid) => "FieldValueInvalid",
        }
    }

    /// Which findings come first. Most are in the order of their paths; clients of an original may know another one.
    pub const fn rank(self) -> u8 {
        match self {
            Code::LaunchConfigurationsImmutable => 0,
            Code::DesiredStateFinal => 1,
            Code::LaunchConfigurationsMissing
            | Code::LaunchConfigurationsUnreadable
            | Code::LaunchConfigurationsEmpty => 2,
            _ => 3,
        }
    }

    /// True when a session with this finding cannot have a workload, so that none should be made for one that
    /// got past admission. A timeout that cannot be read only means that its rule is off.
    pub const fn prevents_workload(self) -> bool {
        matches!(
            self,
            Code::NameInvalid
                | Code::NameTooLong
                | Code::ContainerNameInvalid
                | Code::ContainerNameTaken
                | Code::ContainerImageMissing
                | Code::VolumeNameInvalid
                | Code::VolumeNameTaken
                | Code::VolumeMissing
                | Code::MountPathTaken
                | Code::MountPathMissing
                | Code::StorageSizeInvalid
                | Code::AuthenticationKeyMissing
                | Code::AuthenticationKeyInvalid
                | Code::OidcWithoutIngress
                | Code::SecretNameMissing
                | Code::DataSourceSecretMissing
                | Code::HostInvalid
                | Code::PathPrefixInvalid
                | Code::TemplateInvalid
                | Code::WorkspaceIdInvalid
                | Code::WorkspaceIdTooLong
                | Code::ServerNameInvalid
                | Code::QuantityInvalid
                | Code::RequestExceedsLimit
                | Code::PlaceholderUnknown
                | Code::EnvNameInvalid
                | Code::EnvNameTaken
                | Code::EnvValueAmbiguous
                | Code::PortInvalid
                | Code::ClaimAmbiguous
                | Code::ClaimNameInvalid
                | Code::ClaimModesInvalid
                | Code::OverlayLabelFixed
                | Code::OverlayEndsPod
                | Code::StateDirInvalid
        )
    }

    /// True when the finding is about the step from the old object to the new one. Such a finding is never
    /// excused by the old object having had it.
    pub const fn is_about_the_change(self) -> bool {
        matches!(
            self,
            Code::LocationImmutable
                | Code::SessionTypeImmutable
                | Code::HostImmutable
                | Code::RepositoriesImmutable
                | Code::AgeLowered
                | Code::AgeAfterEnd
                | Code::StorageShrinks
                | Code::AdoptionForbidden
                | Code::JobDeadlineRemoved
                | Code::JobResumed
                | Code::JobOwnerChanged
                | Code::JobLabelsChanged
                | Code::JobResultDropped
                | Code::LaunchConfigurationsImmutable
                | Code::DesiredStateFinal
                | Code::DesiredStateIgnored
                | Code::EndpointImmutable
                | Code::EndpointForbidden
                | Code::NotebookIdentityImmutable
                | Code::LifetimeLowered
                | Code::ClaimTemplateChanged
                | Code::StartAndStop
                | Code::RequestWithoutPhase
                | Code::UserContextImmutable
        )
    }
}
