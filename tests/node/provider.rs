//! A small provider of OpenID Connect: discovery, keys, a form that believes every name, codes that count once, PKCE
//! when it is asked for, and ID tokens that are signed (RS256).

use axum::{
    Json, Router,
    extract::{Query, RawQuery, State},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use http::{HeaderMap, StatusCode};
use ring::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    net::TcpListener,
    process::Command,
    sync::{Arc, Mutex},
};

pub(crate) const CLIENT: (&str, &str) = ("sojourn", "client-secret");
const KEY_ID: &str = "key-1";
const MINUTE: i64 = 60;

type Fields = HashMap<String, String>;

/// One that runs until the test ends.
#[derive(Clone)]
pub(crate) struct Provider {
    pub(crate) issuer: String,
    key: Arc<RsaKeyPair>,
    /// What was asked for under each code that was not used yet, and by whom.
    codes: Arc<Mutex<HashMap<String, (Fields, String)>>>,
    /// Whether each code that was exchanged had a PKCE challenge.
    pub(crate) challenged: Arc<Mutex<Vec<bool>>>,
}

impl Provider {
    pub(crate) fn start(listener: TcpListener) -> Self {
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let provider =
            Self { issuer, key: Arc::new(key()), codes: Arc::default(), challenged: Arc::default() };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/authorize", get(form))
            .route("/login", post(login))
            .route("/token", post(token))
            .with_state(provider.clone());
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    fn sign(&self, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed =
            format!("{}.{}", encode(&json!({"alg": "RS256", "kid": KEY_ID, "typ": "JWT"})), encode(claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// A new key. ring signs with them but makes none.
fn key() -> RsaKeyPair {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "rsa", "-b", "2048", "-m", "PKCS8", "-N", "", "-f"])
        .arg(&path)
        .status()
        .expect("ssh-keygen of the package openssh-client");
    assert!(made.success());
    let pem = std::fs::read_to_string(path).unwrap();
    let text: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    RsaKeyPair::from_pkcs8(&STANDARD.decode(text).unwrap()).unwrap()
}

async fn discovery(State(provider): State<Provider>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", provider.issuer);
    Json(json!({
        "issuer": provider.issuer,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "jwks_uri": at("/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
    }))
}

async fn keys(State(provider): State<Provider>) -> Json<Value> {
    let public = RsaPublicKeyComponents::<Vec<u8>>::from(provider.key.public());
    Json(json!({"keys": [{
        "kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID,
        "n": URL_SAFE_NO_PAD.encode(public.n),
        "e": URL_SAFE_NO_PAD.encode(public.e),
    }]}))
}

/// The fields of a form that was sent.
fn fields(body: &str) -> Fields {
    url::form_urlencoded::parse(body.as_bytes()).into_owned().collect()
}

async fn form(RawQuery(query): RawQuery) -> Html<String> {
    let action = query.unwrap_or_default().replace('&', "&amp;");
    Html(format!(
        "<form method=\"post\" action=\"/login?{action}\">Who are you? <input name=\"user\"></form>"
    ))
}

async fn login(State(provider): State<Provider>, Query(asked): Query<Fields>, body: String) -> Response {
    let known = asked["client_id"] == CLIENT.0 && asked["response_type"] == "code";
    let plain = asked.contains_key("code_challenge") && asked["code_challenge_method"] != "S256";
    if !known || plain || !asked["scope"].split(' ').any(|scope| scope == "openid") {
        return (StatusCode::BAD_REQUEST, format!("{asked:?}")).into_response();
    }
    let mut code = [0; 16];
    ring::rand::SecureRandom::fill(&SystemRandom::new(), &mut code).unwrap();
    let code = URL_SAFE_NO_PAD.encode(code);
    let mut back: url::Url = asked["redirect_uri"].parse().unwrap();
    back.query_pairs_mut().append_pair("code", &code).append_pair("state", &asked["state"]);
    provider.codes.lock().unwrap().insert(code, (asked, fields(&body)["user"].clone()));
    Redirect::to(back.as_str()).into_response()
}

async fn token(State(provider): State<Provider>, headers: HeaderMap, body: String) -> Response {
    let shown = fields(&body);
    let refused = |why: &str| (StatusCode::BAD_REQUEST, Json(json!({"error": why}))).into_response();
    let (client, secret) = CLIENT;
    let basic = format!("Basic {}", STANDARD.encode(format!("{client}:{secret}")));
    let by_header = headers.get("authorization").is_some_and(|value| value == basic.as_str());
    let by_form = shown.get("client_secret").is_some_and(|shown| shown == secret);
    if !by_header && !by_form {
        return refused("invalid_client");
    }
    let code = shown.get("code").map(String::as_str).unwrap_or_default();
    let Some((asked, user)) = provider.codes.lock().unwrap().remove(code) else {
        return refused("invalid_grant");
    };
    let challenge = asked.get("code_challenge");
    let verifier = shown.get("code_verifier").map(|text| URL_SAFE_NO_PAD.encode(Sha256::digest(text)));
    if shown.get("redirect_uri") != asked.get("redirect_uri") || challenge != verifier.as_ref() {
        return refused("invalid_grant");
    }
    provider.challenged.lock().unwrap().push(challenge.is_some());
    let now = jiff::Timestamp::now().as_second();
    let claims = json!({
        "iss": provider.issuer, "aud": client, "sub": user, "iat": now, "exp": now + 10 * MINUTE,
        "nonce": asked.get("nonce"), "email": format!("{user}@example.org"), "email_verified": true,
    });
    Json(json!({
        "access_token": code, "token_type": "Bearer", "expires_in": 10 * MINUTE, "id_token": provider.sign(&claims),
    }))
    .into_response()
}
