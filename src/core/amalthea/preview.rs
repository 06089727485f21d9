//! What a reconcile would do for a session, without doing it.
//!
//! The steps are those of a reconcile, in its order and by its functions; in place of the writes stands what they
//! would come to if the API server takes them as they are.

use super::{
    Checked, Observed, Plan, PlanContext,
    deadlines::{self, ScheduledDecision},
    plan::plan,
    status::{Report, status},
};
use crate::core::{object::Kind, workload};
use std::{borrow::Cow, sync::Arc};

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// A run that would be written down before anything else.
    pub begin_run: Option<String>,
    /// What would be written and deleted.
    pub plan: Plan,
    /// Children that are as they should be.
    pub keep: Vec<(Kind, String)>,
    /// What would be reported.
    pub report: Report,
    /// When the session would be looked at again because of the time alone, and what for; soonest first.
    pub scheduled_decisions: Vec<ScheduledDecision>,
}

/// What a reconcile of `observed` would do.
pub fn preview(checked: &Checked, observed: &Observed, context: &PlanContext) -> Preview {
    let first = plan(checked, observed, context);
    let Some(run) = first.begin_run else { return foresee(checked, observed, context, None, first) };
    // The run is written down, which is a pass of its own; what follows is that of the next.
    let mut session = checked.session.clone();
    session.status.get_or_insert_default().run_id = Some(run.clone());
    let checked = Checked { session: &session, ..checked.clone() };
    let observed = Observed { session: Arc::new(session.clone()), ..observed.clone() };
    let plan = plan(&checked, &observed, context);
    foresee(&checked, &observed, context, Some(run), plan)
}

fn foresee(
    checked: &Checked,
    observed: &Observed,
    context: &PlanContext,
    begin_run: Option<String>,
    plan: Plan,
) -> Preview {
    let applied = workload::preview::as_applied(&plan);
    let report = status(checked, observed, &applied, context);
    let after: Cow<Observed> = observed.after(&applied);
    let scheduled_decisions = if checked.session.metadata.deletion_timestamp.is_some() {
        Vec::new()
    } else {
        deadlines::scheduled_decisions(checked, &after, &report.status, context)
    };
    let keep = workload::preview::kept(&plan, observed);
    Preview { begin_run, plan, keep, report, scheduled_decisions }
}
