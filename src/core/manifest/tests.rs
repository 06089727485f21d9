//! Tests of the comparison of what is wished for with what is there.

use super::*;
use kube::core::DynamicObject;
use rstest::rstest;

fn live(object: Value) -> CachedObject {
    let object: DynamicObject = serde_json::from_value(object).unwrap();
    CachedObject::from_dynamic(Kind::StatefulSet, object).unwrap()
}

fn child() -> DesiredObject {
    DesiredObject {
        kind: Kind::StatefulSet,
        name: "hello".into(),
        manifest: json!({
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": "hello", "namespace": "team", "labels": {"team": "blue"}, "annotations": {"note": "1"}},
            "spec": {"replicas": 1, "template": {"image": "a"}, "selector": "s"},
        }),
        deferred_fields: &["/metadata/labels", "/metadata/annotations", "/spec/template"],
        cleared_if_absent: &["/spec/tolerations"],
        immutable_fields: &["/spec/selector"],
    }
}

/// The child as it is after it was written, with the API server's own additions.
fn written(child: &DesiredObject) -> Value {
    let Some(Write::Create { mut manifest, .. }) = difference(child, None, true) else {
        panic!("nothing to create")
    };
    manifest["metadata"]["uid"] = json!("uid");
    manifest["spec"]["updateStrategy"] = json!("RollingUpdate");
    manifest
}

fn applied(child: &DesiredObject, live_object: Value, updates_allowed: bool) -> Option<Value> {
    match difference(child, Some(&live(live_object)), updates_allowed) {
        Some(Write::Apply { manifest, .. }) => Some(manifest),
        Some(create) => panic!("{create:?}"),
        None => None,
    }
}

#[test]
fn what_was_written_is_not_written_again() {
    assert_eq!(applied(&child(), written(&child()), true), None);
    assert_eq!(applied(&child(), written(&child()), false), None);
}

#[rstest]
#[case::same(json!({"a": [1, {"b": 2}]}), json!({"a": [1, {"b": 2}]}), true)]
#[case::defaults(json!({"a": 1, "added": 2}), json!({"a": 1}), true)]
#[case::changed(json!({"a": 1}), json!({"a": 2}), false)]
#[case::missing(json!({}), json!({"a": 1}), false)]
#[case::dropped_empty_list(json!({}), json!({"a": []}), true)]
#[case::dropped_false(json!({}), json!({"a": false}), true)]
#[case::dropped_empty_text(json!({}), json!({"a": ""}), true)]
#[case::dropped_zero(json!({}), json!({"initialDelaySeconds": 0}), true)]
#[case::null(json!({}), json!({"a": null}), true)]
#[case::filled_in(json!({"periodSeconds": 10}), json!({"periodSeconds": 0}), true)]
#[case::filled_in_text(json!({"imagePullPolicy": "Always"}), json!({"imagePullPolicy": ""}), true)]
#[case::zero_that_counts(json!({"runAsUser": 1000}), json!({"runAsUser": 0}), false)]
#[case::scaled_by_hand(json!({"replicas": 1}), json!({"replicas": 0}), false)]
#[case::longer_list(json!([1, 2]), json!([1]), false)]
#[case::shorter_list(json!([1]), json!([1, 2]), false)]
#[case::order(json!([2, 1]), json!([1, 2]), false)]
#[case::millis(json!({"cpu": "1"}), json!({"cpu": "1000m"}), true)]
#[case::integer(json!({"cpu": "2"}), json!({"cpu": 2}), true)]
#[case::binary(json!({"memory": "1Gi"}), json!({"memory": "1024Mi"}), true)]
#[case::decimal_is_not_binary(json!({"memory": "1Gi"}), json!({"memory": "1G"}), false)]
#[case::other_quantity(json!({"cpu": "1"}), json!({"cpu": "1001m"}), false)]
#[case::owners_are_checked_elsewhere(json!({}), json!({"ownerReferences": [{"uid": "u"}]}), true)]
#[case::finalizers_of_others(json!({"finalizers": ["x", "ours"]}), json!({"finalizers": ["ours"]}), true)]
#[case::finalizer_gone(json!({"finalizers": ["x"]}), json!({"finalizers": ["ours"]}), false)]
fn covering(#[case] live: Value, #[case] wish: Value, #[case] covered: bool) {
    assert_eq!(covers(&live, &wish), covered);
}

#[test]
fn a_change_by_hand_is_put_right() {
    let mut object = written(&child());
    object["spec"]["replicas"] = json!(3);
    let manifest = applied(&child(), object.clone(), true).unwrap();
    assert_eq!(manifest["spec"]["replicas"], 1);
    let manifest = applied(&child(), object, false).unwrap();
    assert_eq!(manifest["spec"]["replicas"], 1, "not held back");
}

#[test]
fn a_field_that_must_be_absent_is_noticed() {
    let mut object = written(&child());
    object["spec"]["tolerations"] = json!([{"key": "gpu"}]);
    let manifest = applied(&child(), object, false).unwrap();
    assert_eq!(manifest["spec"].get("tolerations"), None);
}

#[test]
fn a_field_removed_from_the_wish_is_written_once() {
    let before = DesiredObject {
        manifest: {
            let mut manifest = child().manifest;
            manifest["spec"]["extra"] = json!(1);
            manifest
        },
        ..child()
    };
    let mut object = written(&before);
    assert!(applied(&child(), object.clone(), true).is_some());
    object["metadata"]["annotations"][FINGERPRINT] =
        applied(&child(), object.clone(), true).unwrap()["metadata"]["annotations"][FINGERPRINT].clone();
    assert_eq!(applied(&child(), object, true), None);
}

#[test]
fn held_back_fields_wait_for_the_gate() {
    let object = written(&child());
    let mut wish = child();
    wish.manifest["spec"]["template"] = json!({"image": "b"});
    assert_eq!(applied(&wish, object.clone(), false), None);

    // Another field moves meanwhile: the held-back one still does not.
    wish.manifest["spec"]["replicas"] = json!(0);
    let frozen = applied(&wish, object.clone(), false).unwrap();
    assert_eq!(frozen["spec"], json!({"replicas": 0, "template": {"image": "a"}, "selector": "s"}));

    // And it is not forgotten.
    let mut object = frozen;
    object["metadata"]["uid"] = json!("uid");
    assert_eq!(applied(&wish, object.clone(), false), None);
    assert_eq!(applied(&wish, object, true).unwrap()["spec"]["template"], json!({"image": "b"}));
}

#[test]
fn fixed_fields_stay_as_they_are() {
    let mut wish = child();
    wish.manifest["spec"]["selector"] = json!("other");
    assert_eq!(applied(&wish, written(&child()), true), None);
    wish.manifest["spec"]["replicas"] = json!(2);
    assert_eq!(applied(&wish, written(&child()), true).unwrap()["spec"]["selector"], "s");
}

#[rstest]
#[case("kubernetes.io/x", true)]
#[case("k8s.io/x", true)]
#[case("app.kubernetes.io/x", true)]
#[case("batch.k8s.io/x", true)]
#[case("evilkubernetes.io/x", false)]
#[case("example.com/x", false)]
#[case("x", false)]
fn well_known_texts_stick(#[case] key: &str, #[case] sticks: bool) {
    let mut wish = child();
    wish.manifest["metadata"]["labels"][key] = json!("ours");
    let mut object = written(&wish);
    object["metadata"]["labels"][key] = json!("theirs");
    let kept = applied(&wish, object.clone(), true)
        .is_none_or(|manifest| manifest["metadata"]["labels"][key] == "theirs");
    assert_eq!(kept, sticks, "changed");

    // Not wished for, but there.
    let mut manifest = {
        object["spec"]["replicas"] = json!(9);
        applied(&child(), object, true).unwrap()
    };
    assert_eq!(manifest["metadata"]["labels"].get(key).is_some(), sticks, "removed");
    assert!(manifest["metadata"]["labels"].as_object_mut().unwrap().contains_key("team"));
}

#[test]
fn an_object_of_the_original_is_put_on_record_once() {
    let mut object = written(&child());
    object["metadata"]["annotations"] = json!({"note": "1"});
    object["metadata"]["managedFields"] = json!([{"manager": "Go-http-client", "operation": "Update"}]);
    let Some(Write::Apply { manifest, takeover: true, .. }) =
        difference(&child(), Some(&live(object.clone())), true)
    else {
        panic!("not taken over")
    };
    assert_eq!(manifest["spec"], child().manifest["spec"]);
    assert_eq!(
        difference(&child(), Some(&live(object)), false),
        None,
        "nothing to write while it is held back"
    );
}

#[rstest]
#[case("Go-http-client", "Update", "", true)]
#[case("sojourn", "Update", "", true)]
#[case("sojourn", "Apply", "", false)]
#[case("kubectl-edit", "Update", "", false)]
#[case("Go-http-client", "Update", "status", false)]
fn whose_fields_are_taken_over(
    #[case] manager: &str,
    #[case] operation: &str,
    #[case] sub: &str,
    #[case] taken: bool,
) {
    let mut object = written(&child());
    object["metadata"]["managedFields"] =
        json!([{"manager": manager, "operation": operation, "subresource": sub}]);
    assert_eq!(live(object).takeover, taken);
}

#[test]
fn what_somebody_else_added_to_an_exact_field_goes() {
    let mut object = written(&child());
    object["spec"]["tolerations"] = json!([{"operator": "Exists"}]);
    let Some(Write::Apply { clear: Some(clear), .. }) =
        difference(&child(), Some(&live(object.clone())), true)
    else {
        panic!("nothing is cleared");
    };
    assert_eq!(clear, json!({"spec": {"tolerations": null}}));
    json_patch::merge(&mut object, &clear);
    assert_eq!(difference(&child(), Some(&live(object)), true), None);
}
