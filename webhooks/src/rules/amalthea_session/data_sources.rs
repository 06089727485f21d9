//! Remote storage is claimed with an access mode that a claim can have.
//!
//! The original claims it with whatever is written; Kubernetes refuses the claim for ever, and the pod waits for it. A
//! remote session claims none. The name of the secret is only an annotation of the claim, in which anything may stand.

use super::{Subject, spec};
use crate::finding::Code;
use crate::rules::pod::{Report, claim};

/// Says which access modes are none.
pub(crate) fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    if subject.is_remote() {
        return;
    }
    for (index, source) in subject.spec.data_sources.iter().enumerate() {
        let path = spec("dataSources").index(index).child("accessMode");
        claim::check_modes(report, Code::ClaimInvalid, &path, &[&source.access_mode]);
    }
}
