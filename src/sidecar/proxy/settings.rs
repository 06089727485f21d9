//! Flags, environment and file of the proxy, read once into checked values.
//!
//! As in the original, flags take precedence over the environment, and that over the file, whose values may be at the
//! top level or under `authproxy:`. Settings that would admit every request are an error.

use super::{
    access::{Access, Token},
    rewrite::Target,
};
use crate::settings::{ReadSettingsError, address::Address, flags::go_bool};
use clap::Args;
use http::{Uri, uri::Scheme};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// The port at which the operator puts the proxy behind oauth2-proxy, and only there.
const BEHIND_LOGIN_PORT: u16 = sojourn_crds::amalthea::names::SECOND_PROXY_PORT as u16;

/// The flags of `proxy serve`.
#[derive(Args, Clone, Debug, Default)]
#[command(args_override_self = true)]
pub(crate) struct Flags {
    /// Where requests go: the address of the session. Also: AUTHPROXY_REMOTE.
    #[arg(long, value_name = "URL")]
    remote: Option<String>,
    /// Port for users. By default 65535. Also: AUTHPROXY_PORT.
    #[arg(long, value_name = "PORT")]
    port: Option<String>,
    /// Port of /request_stats. By default 65534. Also: AUTHPROXY_META_PORT.
    #[arg(long = "meta_port", value_name = "PORT")]
    meta_port: Option<String>,
    /// Token that requests must show. Better given by --config: arguments are seen by others. Also: AUTHPROXY_TOKEN.
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// Name of the cookie that holds the token. By default renku-auth. Also: AUTHPROXY_COOKIE_KEY.
    #[arg(long = "cookie_key", value_name = "NAME")]
    cookie_key: Option<String>,
    /// Start of paths that is taken away before requests are passed on. Also: AUTHPROXY_STRIP_PATH_PREFIX.
    #[arg(long = "strip_path_prefix", value_name = "PATH")]
    strip_path_prefix: Option<String>,
    /// Log more. Also: AUTHPROXY_VERBOSE.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    verbose: Option<String>,
    /// YAML file with any of these, at its top or under `authproxy:`.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A login proxy in the same pod stands in front: ask for no token, and pass on only what comes from the pod's own
    /// loopback address. Implied by port 65533, as the operator has it. Also: AUTHPROXY_BEHIND_LOGIN.
    #[arg(long = "behind_login", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          value_name = "BOOL")]
    behind_login: Option<String>,
    /// IP address to listen at. By default every one. Also: AUTHPROXY_ADDRESS.
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
}

/// What the proxy does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Listener for users.
    pub bind: Address,
    /// Listener for the operator.
    pub meta_bind: Address,
    /// Where requests go.
    pub target: Target,
    /// Which requests are admitted.
    pub access: Access,
    /// Log more.
    pub verbose: bool,
}

/// Where values come from, the strongest first.
struct Sources<'a> {
    env: &'a dyn Fn(&str) -> Option<String>,
    file: Map<String, Value>,
}

impl Sources<'_> {
    /// The value of `name`. An empty flag or variable is none, as in the original.
    fn get(&self, flag: Option<&String>, name: &str) -> Option<String> {
        let variable = || (self.env)(&format!("AUTHPROXY_{}", name.to_uppercase()));
        flag.cloned()
            .filter(|text| !text.is_empty())
            .or_else(|| variable().filter(|text| !text.is_empty()))
            .or_else(|| self.of_file(name))
    }

    fn of_file(&self, name: &str) -> Option<String> {
        let under = self.find("authproxy").and_then(Value::as_object).and_then(|under| find(under, name));
        match under.or_else(|| self.find(name))? {
            Value::String(text) => Some(text.clone()),
            value @ (Value::Number(_) | Value::Bool(_)) => Some(value.to_string()),
            _ => None,
        }
    }

    fn find(&self, name: &str) -> Option<&Value> {
        find(&self.file, name)
    }
}

/// Keys are the same in capitals, as in the original.
fn find<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

impl Settings {
    /// Reads `flags`, the environment and the text of the file that the flags name.
    pub(crate) fn read(
        flags: &Flags,
        env: &dyn Fn(&str) -> Option<String>,
        file: Option<&str>,
    ) -> Result<Self, ReadSettingsError> {
        let mut problems = Vec::new();
        let file = match file.map(serde_saphyr::from_str::<Value>) {
            None | Some(Ok(Value::Null)) => Map::new(),
            Some(Ok(Value::Object(file))) => file,
            // What is wrong is not repeated: it may be the token.
            Some(Ok(_) | Err(_)) => {
                problems.push("--config: the file is no YAML of keys and values".to_owned());
                Map::new()
            }
        };
        let sources = Sources { env, file };
        let mut port = |flag: Option<&String>, name: &str, default: u16| {
            let Some(text) = sources.get(flag, name) else { return default };
            text.parse().unwrap_or_else(|_| {
                problems.push(format!("--{name}: {text:?} is no port"));
                default
            })
        };
        let own_port = port(flags.port.as_ref(), "port", 65535);
        let meta_port = port(flags.meta_port.as_ref(), "meta_port", 65534);
        let mut truth = |flag: Option<&String>, name: &str| {
            let Some(text) = sources.get(flag, name) else { return false };
            go_bool(&text).unwrap_or_else(|_| {
                problems.push(format!("--{name}: true or false was expected"));
                false
            })
        };
        let verbose = truth(flags.verbose.as_ref(), "verbose");
        let behind_login = truth(flags.behind_login.as_ref(), "behind_login");

        let strip = sources.get(flags.strip_path_prefix.as_ref(), "strip_path_prefix");
        let target = sources
            .get(flags.remote.as_ref(), "remote")
            .ok_or_else(|| "--remote: the address of the session is missing".to_owned())
            .and_then(|remote| target(&remote, strip.as_deref()))
            .map_err(|problem| problems.push(problem))
            .ok();

        let token = sources.get(flags.token.as_ref(), "token").filter(|token| !token.trim().is_empty());
        // A place for a token without one in it is a mistake, whatever the port says.
        let expected = flags.config.is_some() || flags.token.is_some() || env("AUTHPROXY_TOKEN").is_some();
        let cookie = sources.get(flags.cookie_key.as_ref(), "cookie_key");
        let access = match token {
            Some(token) => Some(Access::Token {
                token: Token::new(token.trim()),
                cookie: cookie.unwrap_or_else(|| "renku-auth".to_owned()),
            }),
            None if behind_login || (own_port == BEHIND_LOGIN_PORT && !expected) => Some(Access::Pod),
            None => {
                problems.push(
                    "there is no token, and without one everybody could use the session; \
                     write `token: ...` in the file that --config names, \
                     or say --behind_login if a login proxy in the same pod stands in front"
                        .to_owned(),
                );
                None
            }
        };
        let host = sources.get(flags.address.as_ref(), "address").unwrap_or_default();
        match (target, access) {
            (Some(target), Some(access)) if problems.is_empty() => Ok(Self {
                bind: Address { host: host.clone(), port: own_port },
                meta_bind: Address { host, port: meta_port },
                target,
                access,
                verbose,
            }),
            _ => Err(ReadSettingsError(problems)),
        }
    }
}

fn target(remote: &str, strip: Option<&str>) -> Result<Target, String> {
    let problem = || format!("--remote: {remote:?} is no address like http://127.0.0.1:8888");
    let uri: Uri = remote.parse().map_err(|_| problem())?;
    let authority = uri.authority().filter(|_| uri.scheme() == Some(&Scheme::HTTP)).ok_or_else(problem)?;
    let strip = strip.map(|strip| format!("/{}/", strip.trim_matches('/'))).filter(|strip| strip != "//");
    Ok(Target { authority: authority.clone(), base: uri.path().trim_end_matches('/').to_owned(), strip })
}

#[cfg(test)]
mod tests;
