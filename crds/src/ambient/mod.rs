//! `vteam.ambient-code/v1alpha1`: `AgenticSession` and `ProjectSettings`.
//!
//! * [`agentic_session`], [`spec`] and [`status`]: a session in which an agent works
//! * [`project_settings`]: what holds for all sessions of a namespace
//! * [`names`]: annotations, variables and names of children
//! * [`lifetime`]: what the timeouts of a session mean for its workload

pub mod agentic_session;
pub mod lifetime;
pub mod names;
pub mod project_settings;
pub mod spec;
pub mod status;

pub use agentic_session::AgenticSession;
pub use lifetime::Limits;
pub use project_settings::{
    GroupAccess, ProjectRepository, ProjectSettings, ProjectSettingsSpec, ProjectSettingsStatus, Role,
};
pub use spec::*;
pub use status::*;
