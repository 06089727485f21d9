//! What every kind looks like to [`crate::evaluate()`]: how it is read, which access is reviewed, what is found.
//!
//! The evaluation does not know the types of the kinds. A row of the table says how its objects are read; what comes
//! out is a [`Subject`], which hands them to the rules of their kind.

use json_patch::PatchOperation;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::de::DeserializeOwned;
use sojourn_crds::DescribedKind;

use crate::facts::{AccessReview, Facts};
use crate::finding::Finding;
use crate::object::{Object, ReadObjectError};
use crate::request::{Operation, Request};

/// A change to an object of kind `K`.
#[derive(Debug)]
pub struct Change<'a, K> {
    /// The request.
    pub request: &'a Request<'a>,
    /// The new object.
    pub object: &'a K,
    /// The old object of an update, if it could be read.
    pub old: Option<&'a K>,
}

/// A kind and its rules.
pub trait AdmissionRules: DescribedKind + DeserializeOwned + Send + 'static {
    /// The metadata of the object.
    fn metadata(&self) -> &ObjectMeta;

    /// The accesses that the API server has to review before the rules are evaluated.
    fn access_reviews(change: &Change<'_, Self>) -> Vec<AccessReview> {
        let _ = change;
        Vec::new()
    }

    /// The findings for the change.
    fn findings(change: &Change<'_, Self>, facts: &dyn Facts) -> Vec<Finding>;

    /// The accesses that the API server has to review before [`AdmissionRules::patch`].
    fn access_reviews_for_patch(change: &Change<'_, Self>, facts: &dyn Facts) -> Vec<AccessReview> {
        let _ = (change, facts);
        Vec::new()
    }

    /// The changes of the object, for kinds with a mutating row.
    fn patch(change: &Change<'_, Self>, facts: &dyn Facts) -> Vec<PatchOperation> {
        let _ = (change, facts);
        Vec::new()
    }
}

/// The objects of one request, whatever their kind.
pub trait Subject: Send {
    /// The metadata of the new object.
    fn metadata(&self) -> &ObjectMeta;
    /// See [`AdmissionRules::access_reviews`].
    fn access_reviews(&self, request: &Request<'_>) -> Vec<AccessReview>;
    /// See [`AdmissionRules::access_reviews_for_patch`].
    fn access_reviews_for_patch(&self, request: &Request<'_>, facts: &dyn Facts) -> Vec<AccessReview>;
    /// See [`AdmissionRules::findings`].
    fn findings(&self, request: &Request<'_>, facts: &dyn Facts) -> Vec<Finding>;
    /// The findings for the old object as if it were created now; none without an old object.
    fn findings_before(&self, request: &Request<'_>, facts: &dyn Facts) -> Vec<Finding>;
    /// See [`AdmissionRules::patch`].
    fn patch(&self, request: &Request<'_>, facts: &dyn Facts) -> Vec<PatchOperation>;
}

/// Reads the objects of a row.
pub type Read = fn(Object<'_>, Option<Object<'_>>) -> Result<Box<dyn Subject>, ReadObjectError>;

/// Reads the new object, and the old one of an update, as kind `K`. An old object that does not fit counts as
/// absent: it excuses no finding.
pub fn read<K: AdmissionRules>(
    new: Object<'_>,
    old: Option<Object<'_>>,
) -> Result<Box<dyn Subject>, ReadObjectError> {
    Ok(Box::new(Pair { new: new.read::<K>()?, old: old.and_then(|old| old.read::<K>().ok()) }))
}

struct Pair<K> {
    new: K,
    old: Option<K>,
}

impl<K> Pair<K> {
    fn change<'a>(&'a self, request: &'a Request<'a>) -> Change<'a, K> {
        Change { request, object: &self.new, old: self.old.as_ref() }
    }
}

impl<K: AdmissionRules> Subject for Pair<K> {
    fn metadata(&self) -> &ObjectMeta {
        self.new.metadata()
    }

    fn access_reviews(&self, request: &Request<'_>) -> Vec<AccessReview> {
        K::access_reviews(&self.change(request))
    }

    fn access_reviews_for_patch(&self, request: &Request<'_>, facts: &dyn Facts) -> Vec<AccessReview> {
        K::access_reviews_for_patch(&self.change(request), facts)
    }

    fn findings(&self, request: &Request<'_>, facts: &dyn Facts) -> Vec<Finding> {
        K::findings(&self.change(request), facts)
    }

    fn findings_before(&self, request: &Request<'_>, facts: &dyn Facts) -> Vec<Finding> {
        let Some(object) = &self.old else { return Vec::new() };
        let request = Request { operation: Operation::Create, old: None, new: request.old, ..*request };
        K::findings(&Change { request: &request, object, old: None }, facts)
    }

    fn patch(&self, request: &Request<'_>, facts: &dyn Facts) -> Vec<PatchOperation> {
        K::patch(&self.change(request), facts)
    }
}
