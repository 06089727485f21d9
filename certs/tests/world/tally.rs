//! What happened in a run, counted.

/// What happened in a run, or in several.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) events: u64,
    /// Authorities that came into force.
    pub(crate) promoted: u64,
    /// Writes that dropped an authority.
    pub(crate) retired: u64,
    pub(crate) deleted: u64,
    pub(crate) blanked: u64,
    pub(crate) crashed: u64,
}

impl std::ops::Add for Tally {
    type Output = Self;
    fn add(self, more: Self) -> Self {
        Self {
            events: self.events + more.events,
            promoted: self.promoted + more.promoted,
            retired: self.retired + more.retired,
            deleted: self.deleted + more.deleted,
            blanked: self.blanked + more.blanked,
            crashed: self.crashed + more.crashed,
        }
    }
}
