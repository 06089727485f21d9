//! Which changes of a status are written at once, and which wait.

/// How soon a change of a status has to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// At once.
    Now,
    /// It reports how a session starts. It is written at once while few sessions start; in a crowd it waits for the
    /// result of the start.
    Progress,
    /// It concerns container counts alone. It waits for other changes.
    Counts,
}
