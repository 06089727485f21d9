//! The fields of an Ingress beside its host and path.

use super::{Report, references};
use crate::finding::{Code, FieldPath, seen};

const CODE: Code = Code::IngressInvalid;
/// The key of the annotation that named the class before there was a field.
pub(crate) const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

/// What is written about an Ingress.
pub(crate) struct Ingress<'a> {
    /// Its class.
    pub(crate) class: Option<&'a str>,
    /// Its host; empty for every one.
    pub(crate) host: &'a str,
    /// The secret with the certificate of the host; empty means none.
    pub(crate) tls_secret: &'a str,
    /// The class in the annotation of old, wherever it was written.
    pub(crate) class_annotation: Option<&'a str>,
}

/// Says what is wrong with the Ingress at `path`.
pub(crate) fn check(report: &mut Report<'_>, path: &FieldPath, ingress: &Ingress<'_>) {
    if let Some(class) = ingress.class {
        references::ingress_class(report, path.child("ingressClassName"), class);
    }
    if let (Some(class), Some(annotated)) = (ingress.class, ingress.class_annotation)
        && class != annotated
    {
        report.add(
            CODE,
            path.child("ingressClassName"),
            format!("{} is not {}, as the annotation {CLASS_ANNOTATION} says", seen(class), seen(annotated)),
            "leave the annotation out",
        );
    }
    references::secret(report, path.child("tlsSecret").child("name"), ingress.tls_secret);
    if !ingress.tls_secret.is_empty() && ingress.host.is_empty() {
        report.required(CODE, path.child("host"), "a certificate is for a host");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::pod::testing::found;
    use rstest::rstest;

    #[rstest]
    #[case(None, "a.example", "", None, &[])]
    #[case(Some("nginx"), "a.example", "tls", None, &[])]
    #[case(Some("nginx"), "", "", Some("nginx"), &[])]
    #[case(None, "", "", Some("Any Text"), &[])]
    #[case(Some("nginx"), "", "", Some("traefik"), &["i.ingressClassName"])]
    #[case(Some(""), "", "", None, &["i.ingressClassName"])]
    #[case(Some("A"), "", "", None, &["i.ingressClassName"])]
    #[case(None, "a.example", "A", None, &["i.tlsSecret.name"])]
    #[case(None, "", "tls", None, &["i.host"])]
    fn ingresses(
        #[case] class: Option<&str>,
        #[case] host: &str,
        #[case] tls_secret: &str,
        #[case] class_annotation: Option<&str>,
        #[case] paths: &[&str],
    ) {
        let ingress = Ingress { class, host, tls_secret, class_annotation };
        assert_eq!(found(|report, path| check(report, path, &ingress), "i"), paths);
    }
}
