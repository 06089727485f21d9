//! What a spec asks for of a claim that is there, and that no claim can become: it is not asked of the API server, and
//! said in the condition `Reconciled` for as long as the spec asks for it.

use super::{Checked, Observed, PlanContext, children};
use crate::core::{
    manifest::{DesiredObject, nanos},
    object::{CachedObject, Kind},
};
use serde_json::Value;
use sojourn_crds::amalthea::names;

const SIZE: &str = "/spec/resources/requests/storage";
const CLASS: &str = "/spec/storageClassName";
const MODE: &str = "/spec/accessModes/0";

/// Puts the size that a claim has in place of a smaller one.
pub(super) fn keep_size(child: &mut DesiredObject, live: &CachedObject) {
    let has = live.body().pointer(SIZE).cloned();
    if child.kind == Kind::PersistentVolumeClaim
        && let (Some(size), Some(has)) = (child.manifest.pointer_mut(SIZE), has)
        && shrinks(live, size, &has)
    {
        *size = has;
    }
}

/// Whether a claim would have to shrink. A size that was asked for and never given can be taken back, as long as it is
/// above what the claim has.
fn shrinks(live: &CachedObject, wished: &Value, asked: &Value) -> bool {
    let (wished, asked, given) = (nanos(wished), nanos(asked), capacity(live));
    let given = given.as_ref().and_then(nanos);
    wished.is_some() && wished < asked && given.is_none_or(|given| wished <= Some(given))
}

/// The size that a claim has.
fn capacity(live: &CachedObject) -> Option<Value> {
    live.status::<Value>().pointer("/capacity/storage").cloned()
}

/// What cannot be as the spec says, each with a way out.
pub(super) fn told(checked: &Checked, observed: &Observed, context: &PlanContext) -> Vec<String> {
    let session = checked.session.name();
    let mut told = Vec::new();
    for wished in children::claims(checked, context) {
        let Some(live) = observed.claim(&wished.name).filter(|live| !live.deleting) else { continue };
        let claim = Claim { wished: &wished, live, body: live.body(), owned: observed.owns(live) };
        if wished.name == session {
            told.extend(claim.size());
            told.extend(claim.class());
        } else {
            // The class of a data source is that of the installation, and its size does not matter.
            told.extend(claim.mode(session));
        }
    }
    told
}

/// A claim as it is wished for and as it is.
struct Claim<'a> {
    wished: &'a DesiredObject,
    live: &'a CachedObject,
    body: Value,
    owned: bool,
}

impl Claim<'_> {
    /// A field as it is wished for and as it is; nothing when the spec does not say.
    fn field(&self, pointer: &str) -> Option<(&Value, &Value)> {
        Some((self.wished.manifest.pointer(pointer)?, self.body.pointer(pointer).unwrap_or(&Value::Null)))
    }

    fn size(&self) -> Option<String> {
        let (wish, has) = self.field(SIZE)?;
        let says = format!(
            "spec.session.storage.size is {}, and the claim {} has {}",
            text(wish),
            self.wished.name,
            text(has)
        );
        if !self.owned {
            let grows = nanos(wish) > nanos(has);
            return grows.then(|| {
                format!(
                    "{says}. It has no owner, so the operator does not change it: change the size of the claim"
                )
            });
        }
        let given = capacity(self.live).filter(|given| nanos(given) < nanos(has));
        let least = match given {
            Some(given) => format!("more than {}", text(&given)),
            None => format!("{} or more", text(has)),
        };
        shrinks(self.live, wish, has).then(|| {
            format!("{says}: a claim cannot shrink. Set {least}, or use another session for a smaller disk")
        })
    }

    fn class(&self) -> Option<String> {
        let (wish, has) = self.field(CLASS).filter(|(wish, has)| self.owned && wish != has)?;
        Some(format!(
            "spec.session.storage.className is {}, and the claim {} has {}, which cannot change. Set that, or use another \
             session for the other class",
            text(wish),
            self.wished.name,
            if has.is_null() { "none".into() } else { text(has) },
        ))
    }

    fn mode(&self, session: &str) -> Option<String> {
        let (wish, has) = self.field(MODE).filter(|(wish, has)| self.owned && wish != has)?;
        let name = &self.wished.name;
        let index = (0..).find(|index| names::data_source(session, *index) == *name)?;
        Some(format!(
            "spec.dataSources[{index}].accessMode is {}, and the claim {name} has {}, which cannot change. Remove the data \
             source, and add it again when its claim is gone",
            text(wish),
            text(has)
        ))
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
