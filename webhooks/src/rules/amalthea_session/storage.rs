//! The session's volume has a size and a class that a claim can have.
//!
//! The original asks for whatever is written: a claim of zero or less is refused for ever, and a smaller size than the
//! volume has is refused at every pass, which freezes the status.

use sojourn_crds::quantity::Quantity;

use super::{Subject, spec};
use crate::finding::{Code, Finding, seen};
use crate::rules::pod::{Report, quantity, references};

/// Says what is wrong with the size.
pub(crate) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let size = &subject.spec.session.storage.size;
    let path = spec("session").child("storage").child("size");
    if let Quantity::Text(text) = size
        && !quantity::is_readable(text)
    {
        let message = format!("{} is not a quantity", seen(text));
        findings.push(Finding::new(Code::StorageSizeInvalid, path, message, quantity::way_out(text)));
        return;
    }
    let Some(nanos) = size.nanos() else { return };
    if nanos <= 0 {
        findings.push(Finding::new(
            Code::StorageSizeInvalid,
            path,
            format!("{} is not a size above zero", text(size)),
            "write for example 1Gi",
        ));
    } else if let Some(old) = subject.old_spec().map(|old| &old.session.storage.size)
        && old.nanos().is_some_and(|old| nanos < old)
    {
        findings.push(Finding::new(
            Code::StorageShrinks,
            path,
            format!("a volume cannot shrink from {} to {}", text(old), text(size)),
            "it keeps its size",
        ));
    }
}

/// Says when a volume is to have another class than it was created with.
pub(crate) fn check_change_of_class(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some(old) = subject.old_spec() else { return };
    let (old, new) = (&old.session.storage.class_name, &subject.spec.session.storage.class_name);
    if let Some(class) = new.as_ref().filter(|_| old != new) {
        findings.push(Finding::new(
            Code::StorageClassKept,
            spec("session").child("storage").child("className"),
            format!("a volume that exists does not get the class {}", seen(class)),
            "it keeps its class",
        ));
    }
}

/// Says when no storage class can have the name.
pub(crate) fn check_class(subject: &Subject<'_>, report: &mut Report<'_>) {
    if let Some(class) = &subject.spec.session.storage.class_name {
        references::storage_class(report, spec("session").child("storage").child("className"), class);
    }
}

fn text(quantity: &Quantity) -> String {
    match quantity {
        Quantity::Integer(units) => units.to_string(),
        Quantity::Text(text) => text.clone(),
    }
}
