//! Sessions behind a login.

use sojourn_cluster::Image;

/// oauth2-proxy as built here, under the name that the operator has for it.
pub(crate) async fn proxy_image() -> Image {
    let built = sojourn_cluster::build_all_with_node().await.unwrap_or_else(|error| panic!("{error}"));
    let program = built.into_iter().find(|(name, _)| *name == "oauth2-proxy").unwrap().1;
    Image::new(sojourn::settings::OAUTH2_PROXY_IMAGE)
        .file("/bin/oauth2-proxy", &program)
        .setting("User", serde_json::json!("1001"))
        .setting("Entrypoint", serde_json::json!(["/bin/oauth2-proxy"]))
}
