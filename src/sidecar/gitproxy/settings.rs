//! The environment of the git proxy, read once into checked values.

use super::{
    repositories::{Repositories, Repository},
    tokens::{Account, Provider, TokenSettings},
};
use crate::settings::{ReadSettingsError, address::Address, flags::go_bool};
use serde::de::DeserializeOwned;
use std::{path::PathBuf, time::Duration};
use url::Url;

const PREFIX: &str = "GIT_PROXY_";

/// What the proxy does.
#[derive(Clone)]
pub(crate) struct Settings {
    /// Listener for git.
    pub bind: Address,
    /// Listener for the kubelet.
    pub health_bind: Address,
    /// Where the authority's certificate is written for git.
    pub ca_file: Option<PathBuf>,
    /// The repositories that get credentials; none in an anonymous session.
    pub repositories: Repositories,
    /// Where the credentials come from.
    pub tokens: TokenSettings,
}

impl Settings {
    /// Reads the environment.
    pub(crate) fn read(env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ReadSettingsError> {
        let get = |name: &str| env(&format!("{PREFIX}{name}")).filter(|text| !text.is_empty());
        let mut problems = Vec::new();
        let mut port = |name: &str, default: u16| {
            get(name).map_or(Ok(default), |text| text.parse()).unwrap_or_else(|_| {
                problems.push(format!("{PREFIX}{name}: a port was expected"));
                default
            })
        };
        let (own, health) = (port("PORT", 8080), port("HEALTH_PORT", 8081));
        let anonymous =
            get("ANONYMOUS_SESSION").map_or(Ok(true), |text| go_bool(&text)).unwrap_or_else(|_| {
                problems.push(format!("{PREFIX}ANONYMOUS_SESSION: true or false was expected"));
                true
            });
        let seconds = get("REFRESH_CHECK_PERIOD_SECONDS").map_or(Ok(600), |text| text.parse::<u64>());
        let period = seconds.ok().filter(|seconds| (1..=86_400).contains(seconds)).unwrap_or_else(|| {
            problems
                .push(format!("{PREFIX}REFRESH_CHECK_PERIOD_SECONDS: a number from 1 to 86400 was expected"));
            600
        });
        let mut repositories: Vec<Repository> = list(get("REPOSITORIES"), "REPOSITORIES", &mut problems);
        let providers: Vec<Provider> = list(get("PROVIDERS"), "PROVIDERS", &mut problems);
        let account = if anonymous { None } else { account(&get, &mut problems) };
        if account.is_none() {
            repositories.clear();
        }
        if !problems.is_empty() {
            return Err(ReadSettingsError(problems));
        }
        let host = get("ADDRESS").unwrap_or_default();
        Ok(Self {
            bind: Address { host: host.clone(), port: own },
            health_bind: Address { host, port: health },
            ca_file: get("CA_FILE").map(PathBuf::from),
            repositories: Repositories(repositories),
            tokens: TokenSettings { providers, account, period: Duration::from_secs(period) },
        })
    }
}

fn list<T: DeserializeOwned>(text: Option<String>, name: &str, problems: &mut Vec<String>) -> Vec<T> {
    let Some(text) = text else { return Vec::new() };
    serde_json::from_str(&text).unwrap_or_else(|_| {
        problems.push(format!("{PREFIX}{name}: this is not what was expected"));
        Vec::new()
    })
}

/// Whose tokens are used. `v2` asks the address that it is given; before, the address followed from the realm.
fn account(get: &dyn Fn(&str) -> Option<String>, problems: &mut Vec<String>) -> Option<Account> {
    let mut need = |name: &str| {
        let value = get(name);
        if value.is_none() {
            problems.push(format!("{PREFIX}{name} is missing"));
        }
        value
    };
    let second = get("RENKU_AUTHENTICATION_VERSION").as_deref() == Some("v2");
    let (access, refresh) = (need("RENKU_ACCESS_TOKEN"), need("RENKU_REFRESH_TOKEN"));
    let (token_url, client) = if second {
        (need("RENKU_TOKEN_URL"), get("RENKU_CLIENT_ID").zip(get("RENKU_CLIENT_SECRET")))
    } else {
        let (url, realm) = (need("RENKU_URL"), need("RENKU_REALM"));
        let client = need("RENKU_CLIENT_ID").zip(need("RENKU_CLIENT_SECRET"));
        let token_url = url.zip(realm).map(|(url, realm)| {
            let url = url.trim_end_matches('/');
            format!("{url}/auth/realms/{realm}/protocol/openid-connect/token")
        });
        (token_url, client)
    };
    let token_url = token_url?;
    if Url::parse(&token_url).is_err() {
        problems.push(format!("{PREFIX}RENKU_URL or {PREFIX}RENKU_TOKEN_URL is no address"));
    }
    Some(Account { access: access?, refresh: refresh?, token_url, client })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(env: &[(&str, &str)]) -> Result<Settings, ReadSettingsError> {
        let env = env.to_vec();
        Settings::read(&move |name| {
            let name = name.strip_prefix(PREFIX)?;
            env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    const REPOSITORIES: (&str, &str) =
        ("REPOSITORIES", r#"[{"url": "https://example.org/a", "provider": "p", "more": 1}]"#);

    #[test]
    fn an_anonymous_session_gets_no_credentials() {
        let settings = read(&[REPOSITORIES, ("RENKU_ACCESS_TOKEN", "a")]).unwrap();
        assert_eq!(settings.repositories, Repositories::default());
        assert_eq!((settings.bind.port, settings.health_bind.port), (8080, 8081));
        assert_eq!(settings.tokens.period, Duration::from_secs(600));
    }

    #[test]
    fn what_is_missing_is_named_at_once() {
        let problems = read(&[("ANONYMOUS_SESSION", "false")]).err().unwrap().0;
        assert_eq!(problems.len(), 6, "{problems:?}");
        let second = [("ANONYMOUS_SESSION", "false"), ("RENKU_AUTHENTICATION_VERSION", "v2")];
        assert_eq!(read(&second).err().unwrap().0.len(), 3);
        let scrap = [("PORT", "x"), ("PROVIDERS", "secret"), ("REFRESH_CHECK_PERIOD_SECONDS", "0")];
        let problems = read(&scrap).err().unwrap().0;
        assert!(problems.len() == 3 && !problems.join("").contains("secret"), "{problems:?}");
    }

    #[test]
    fn the_address_for_tokens_follows_from_the_realm() {
        let settings = read(&[
            REPOSITORIES,
            ("ANONYMOUS_SESSION", "false"),
            ("RENKU_ACCESS_TOKEN", "a"),
            ("RENKU_REFRESH_TOKEN", "r"),
            ("RENKU_URL", "https://renku.example/"),
            ("RENKU_REALM", "Renku"),
            ("RENKU_CLIENT_ID", "c"),
            ("RENKU_CLIENT_SECRET", "s"),
        ])
        .unwrap();
        let url = settings.tokens.account.unwrap().token_url;
        assert_eq!(url, "https://renku.example/auth/realms/Renku/protocol/openid-connect/token");
        assert_eq!(settings.repositories.0.len(), 1);
    }
}
