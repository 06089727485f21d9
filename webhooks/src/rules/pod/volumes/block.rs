//! Volumes of disks in the network: iSCSI and Fibre Channel.

use serde_json::Value;

use super::super::read::{integer, is_set, is_true, list, text, text_if_set};
use super::{CODE, Report, check_needed};
use crate::finding::{FieldPath, seen};

/// Longest `<volume name>:<targetPortal>` of a volume with an initiator of its own.
const LONGEST_INTERFACE: usize = 64;

pub(super) fn fibre_channel(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    let (names, ids) = (list(source, "targetWWNs").len(), list(source, "wwids").len());
    match (names, ids) {
        (0, 0) => report.required(CODE, path.child("targetWWNs"), "a disk is known by targetWWNs or wwids"),
        (0, _) => {}
        (_, 0) => match integer(source, "lun") {
            None => {
                report.required(CODE, path.child("lun"), "a disk that is known by targetWWNs needs its lun")
            }
            Some(lun) => check_lun(report, path, lun),
        },
        _ => {
            report.add(CODE, path.clone(), "both targetWWNs and wwids are given", "keep one of them");
        }
    }
}

fn check_lun(report: &mut Report<'_>, path: &FieldPath, lun: i64) {
    if !(0..=255).contains(&lun) {
        report.add(CODE, path.child("lun"), format!("{lun} is not from 0 to 255"), "use the disk's number");
    }
}

pub(super) fn iscsi(report: &mut Report<'_>, path: &FieldPath, source: &Value) {
    check_needed(report, path, source, &["targetPortal", "iqn"]);
    for field in ["iqn", "initiatorName"] {
        let Some(name) = text_if_set(source, field) else { continue };
        // A name that is needed and empty was reported above.
        if (field == "initiatorName" || !name.is_empty()) && !is_iscsi_name(name) {
            report.add(
                CODE,
                path.child(field),
                format!("{} is not the name of an iSCSI node", seen(name)),
                "write it like iqn.2026-01.org.example:disk, eui.<16 digits> or naa.<32 digits>",
            );
        }
    }
    check_lun(report, path, integer(source, "lun").unwrap_or_default());
    let authenticates =
        ["chapAuthDiscovery", "chapAuthSession"].into_iter().find(|field| is_true(source, field));
    if let Some(field) = authenticates.filter(|_| !is_set(source, "secretRef")) {
        report.required(CODE, path.child("secretRef"), &format!("{field} needs a secret"));
    }
}

/// Says when the name that is made for the initiator of a volume is too long.
pub(super) fn check_initiator(report: &mut Report<'_>, path: &FieldPath, volume: &Value) {
    let source = &volume["iscsi"];
    let (name, portal) = (text(volume, "name"), text(source, "targetPortal"));
    let length = name.len() + 1 + portal.len();
    if is_set(source, "initiatorName") && length > LONGEST_INTERFACE {
        report.add(
            CODE,
            path.child("name"),
            format!(
                "{}, ':' and the targetPortal {} have {length} characters, with an initiatorName at most {LONGEST_INTERFACE}",
                seen(name),
                seen(portal)
            ),
            "shorten the name of the volume",
        );
    }
}

fn is_iscsi_name(name: &str) -> bool {
    match name.get(..3) {
        // The pattern of Kubernetes has no anchor at its start.
        Some("iqn") => name.match_indices("iqn.").any(|(at, start)| is_qualified(&name[at + start.len()..])),
        Some("eui") => is_number(name, 16),
        Some("naa") => is_number(name, 32),
        _ => false,
    }
}

/// Whether the rest of a name matches `\d{4}-\d{2}\.[[:alnum:]-.]+:[^,;*&$|\s]+`.
fn is_qualified(rest: &str) -> bool {
    let Some((owner, disk)) = rest.split_once(':') else { return false };
    let owner = owner.as_bytes();
    let date = owner.len() > 8
        && owner[..8].iter().enumerate().all(|(index, b)| match index {
            4 => *b == b'-',
            7 => *b == b'.',
            _ => b.is_ascii_digit(),
        });
    let refused =
        |c: char| matches!(c, ',' | ';' | '*' | '&' | '$' | '|' | '\t' | '\n' | '\u{c}' | '\r' | ' ');
    date && owner[8..].iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
        && !disk.is_empty()
        && !disk.contains(refused)
}

/// Whether a character and so many letters or digits follow the first three.
fn is_number(name: &str, digits: usize) -> bool {
    let mut rest = name.chars().skip(3);
    rest.next().is_some_and(|c| c != '\n')
        && rest.clone().count() == digits
        && rest.all(|c| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::pod::testing::found;
    use crate::rules::pod::volumes;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!({"targetWWNs": ["a"], "lun": 0}), &[])]
    #[case(json!({"targetWWNs": ["a"], "lun": 255}), &[])]
    #[case(json!({"targetWWNs": ["a"], "lun": 256}), &["v.lun"])]
    #[case(json!({"targetWWNs": ["a"]}), &["v.lun"])]
    #[case(json!({"wwids": ["a"]}), &[])]
    #[case(json!({"wwids": ["a"], "lun": 999}), &[])]
    #[case(json!({}), &["v.targetWWNs"])]
    #[case(json!({"targetWWNs": ["a"], "wwids": ["a"], "lun": 1}), &["v"])]
    fn fibre_channels(#[case] source: Value, #[case] paths: &[&str]) {
        assert_eq!(found(|report, path| fibre_channel(report, path, &source), "v"), paths, "{source}");
    }

    const NAME: &str = "iqn.2026-01.org.example:disk";

    #[rstest]
    #[case(json!({"targetPortal": "a", "iqn": NAME, "lun": 255}), &[])]
    #[case(json!({"targetPortal": "", "iqn": ""}), &["v.targetPortal", "v.iqn"])]
    #[case(json!({"targetPortal": "a", "iqn": "disk"}), &["v.iqn"])]
    #[case(json!({"targetPortal": "a", "iqn": NAME, "lun": -1}), &["v.lun"])]
    #[case(json!({"targetPortal": "a", "iqn": NAME, "lun": 256}), &["v.lun"])]
    #[case(json!({"targetPortal": "a", "iqn": NAME, "chapAuthSession": true}), &["v.secretRef"])]
    #[case(json!({"targetPortal": "a", "iqn": NAME, "chapAuthSession": true, "secretRef": {"name": ""}}), &[])]
    #[case(json!({"targetPortal": "a", "iqn": NAME, "initiatorName": NAME}), &[])]
    #[case(json!({"targetPortal": "a", "iqn": NAME, "initiatorName": ""}), &["v.initiatorName"])]
    fn iscsis(#[case] source: Value, #[case] paths: &[&str]) {
        assert_eq!(found(|report, path| iscsi(report, path, &source), "v"), paths, "{source}");
    }

    #[rstest]
    #[case(NAME, true)]
    #[case("iqn.2026-01.a:b:c", true)]
    #[case("iqnx.iqn.2026-01.a:b", true)]
    #[case("iqn.2026-1.a:b", false)]
    #[case("iqn.2026-01.:b", false)]
    #[case("iqn.2026-01.a", false)]
    #[case("iqn.2026-01.a:", false)]
    #[case("iqn.2026-01.a_b:c", false)]
    #[case("iqn.2026-01.a:b c", false)]
    #[case("iqn.2026-01.a:b,c", false)]
    #[case("eui.0123456789abcdef", true)]
    #[case("eui.0123456789abcde", false)]
    #[case("eui.0123456789abcdef0", false)]
    #[case("eui.0123456789abcde_", false)]
    #[case("naa.0123456789abcdef0123456789abcdef", true)]
    #[case("naa.0123456789abcdef", false)]
    #[case("ä", false)]
    #[case("aäb", false)]
    fn names(#[case] name: &str, #[case] valid: bool) {
        assert_eq!(is_iscsi_name(name), valid, "{name}");
    }

    #[rstest]
    #[case(63 - 1, true, 0)]
    #[case(63, true, 1)]
    #[case(63, false, 0)]
    fn interfaces_are_limited(#[case] length: usize, #[case] initiator: bool, #[case] count: usize) {
        let mut volume =
            json!({"name": "a".repeat(length), "iscsi": {"targetPortal": "b", "iqn": NAME, "lun": 1}});
        if initiator {
            volume["iscsi"]["initiatorName"] = json!(NAME);
        }
        assert_eq!(found(|report, path| volumes::check(report, path, &[volume]), "v").len(), count);
    }
}
