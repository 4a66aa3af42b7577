//! What administrators set while the server runs. What the operator gave as an
//! option at the start holds above it and cannot be changed here.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context, Result};
use gc_protocol::limits;
use gc_session::relay::MOST_VIEWERS;
use gc_store::{Store, StoreError};
use http::Uri;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::config::{Acme, Certificate, Config};

/// The row that holds them.
const KEY: &str = "settings";
/// Longest text of an administrator's own that a person reads, in characters.
const TEXT: usize = 300;
/// Longest session that can be set, in hours.
const MOST_HOURS: u32 = 24 * 7;
/// Longest time without a viewer that can be set, in minutes.
const MOST_MINUTES: u32 = 24 * 60;
/// Most proxies.
const MOST_PROXIES: usize = 32;

/// Settings. What is left out is as it was at the beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Company name, as the person being helped reads it.
    pub(crate) organization: String,
    /// Address under which people reach this server; without it the one that it listens on.
    pub(crate) public_url: Option<String>,
    /// Addresses or networks of proxies whose forwarded header is believed.
    pub(crate) trusted_proxies: Vec<String>,
    /// Said below the question whether to allow a session, at most 300 characters; `{{technician_name}}` and
    /// `{{company}}` stand for what they say.
    pub(crate) consent_message: String,
    /// Said in the notice that stays on the screen, at most 300 characters; `{{company}}` stands for the company.
    pub(crate) notice_message: String,
    /// Whether several viewers may control at once; else the last to ask takes over.
    pub(crate) several_controllers: bool,
    /// Most viewers of one session, 1 to 16.
    pub(crate) most_viewers: u32,
    /// After so many hours a session ends, 1 to 168; without it never.
    pub(crate) session_hours: Option<u32>,
    /// After so many minutes without a viewer a session ends, 1 to 1440; without it never.
    pub(crate) unwatched_minutes: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            organization: String::new(),
            public_url: None,
            trusted_proxies: Vec::new(),
            consent_message: String::new(),
            notice_message: String::new(),
            several_controllers: false,
            most_viewers: MOST_VIEWERS as u32,
            session_hours: None,
            unwatched_minutes: None,
        }
    }
}

/// A setting that will not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unfit(String);

impl Settings {
    /// As they are stored.
    pub(crate) async fn load(store: &Store) -> Result<Self, StoreError> {
        match store.setting(KEY).await? {
            None => Ok(Self::default()),
            Some(value) => serde_json::from_value(value).map_err(|_| StoreError::Corrupt),
        }
    }

    pub(crate) async fn save(&self, store: &Store, now: gc_store::Millis) -> Result<(), StoreError> {
        store.set_setting(KEY, serde_json::to_value(self).map_err(|_| StoreError::Corrupt)?, now).await
    }

    /// Bring them into form, or say what will not do.
    pub(crate) fn checked(mut self, speaks_tls: bool) -> Result<Self, Unfit> {
        let unfit = |text: &str| Err(Unfit(text.to_owned()));
        if self.organization.trim().chars().count() > limits::NAME {
            return unfit("A company's name has at most 200 characters.");
        }
        self.organization = limits::displayable(self.organization.trim(), limits::NAME);
        for text in [&mut self.consent_message, &mut self.notice_message] {
            if text.trim().chars().count() > TEXT {
                return unfit("A message has at most 300 characters.");
            }
            *text = limits::displayable(text.trim(), TEXT);
        }
        let url = self.public_url.take().map(|url| url.trim().trim_end_matches('/').to_owned());
        if let Some(url) = url.filter(|url| !url.is_empty()) {
            self.public_url = Some(public_url(url, speaks_tls)?);
        }
        if self.trusted_proxies.len() > MOST_PROXIES {
            return unfit("There are at most 32 trusted proxies.");
        }
        self.trusted_proxies =
            self.trusted_proxies.iter().map(|text| Ok(proxy(text)?.to_string())).collect::<Result<_, _>>()?;
        if !(1..=MOST_VIEWERS as u32).contains(&self.most_viewers) {
            return unfit("A session has 1 to 16 viewers.");
        }
        if self.session_hours.is_some_and(|hours| !(1..=MOST_HOURS).contains(&hours)) {
            return unfit("A session may last 1 to 168 hours.");
        }
        if self.unwatched_minutes.is_some_and(|minutes| !(1..=MOST_MINUTES).contains(&minutes)) {
            return unfit("A session may be without viewers for 1 to 1440 minutes.");
        }
        Ok(self)
    }
}

/// An origin: nothing but scheme, host and port.
fn public_url(url: String, speaks_tls: bool) -> Result<String, Unfit> {
    let unfit = |text: &str| Unfit(text.to_owned());
    let form = || unfit("The public address looks like https://support.example.com, without a path.");
    let parsed: Uri = url.parse().map_err(|_| form())?;
    let (Some(scheme), Some(authority)) = (parsed.scheme_str(), parsed.authority()) else { return Err(form()) };
    if !matches!(parsed.path(), "" | "/") || parsed.query().is_some() || authority.as_str().contains('@') {
        return Err(form());
    }
    let host = authority.host().trim_matches(['[', ']']);
    let is_loopback = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match scheme {
        "https" => {}
        "http" if speaks_tls => {
            return Err(unfit("The public address begins with https://, since this server speaks TLS."));
        }
        "http" if is_loopback => {}
        _ => return Err(unfit("The public address begins with https://.")),
    }
    // As browsers write it in `Origin`: in lower case.
    Ok(url.to_ascii_lowercase())
}

/// A network of proxies: never everybody.
fn proxy(text: &str) -> Result<IpNet, Unfit> {
    let text = text.trim();
    let net = text.parse::<IpNet>().or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from));
    match net {
        Ok(net) if net.prefix_len() > 0 => Ok(net.trunc()),
        Ok(_) => Err(Unfit("To believe everybody is to believe nobody: name the proxy's own address.".into())),
        Err(_) => Err(Unfit(format!(
            "\u{201c}{}\u{201d} is no address: write 192.0.2.7 or 10.0.0.0/8.",
            limits::displayable(text, 60)
        ))),
    }
}

/// What holds now: options above settings.
#[derive(Debug, Clone)]
pub(crate) struct Effective {
    /// Settings, with the options in their place.
    pub(crate) settings: Settings,
    /// The address that people use, as far as it is known.
    pub(crate) url: String,
    /// Proxies whose forwarded header is believed.
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// Names of the settings that an option holds.
    pub(crate) fixed: Vec<&'static str>,
}

impl Effective {
    fn new(config: &Config, address: SocketAddr, mut settings: Settings) -> Self {
        let mut fixed = Vec::new();
        if !config.organization.is_empty() {
            settings.organization.clone_from(&config.organization);
            fixed.push("organization");
        }
        if config.public_url.is_some() {
            settings.public_url.clone_from(&config.public_url);
            fixed.push("public_url");
        }
        if !config.trusted_proxies.is_empty() {
            settings.trusted_proxies = config.trusted_proxies.iter().map(ToString::to_string).collect();
            fixed.push("trusted_proxies");
        }
        let url = settings.public_url.clone().unwrap_or_else(|| own_url(config, address));
        let trusted_proxies = settings.trusted_proxies.iter().filter_map(|net| net.parse().ok()).collect();
        Self { settings, url, trusted_proxies, fixed }
    }
}

/// The settings of a running server.
pub(crate) struct Holder {
    now: RwLock<Arc<Effective>>,
    address: SocketAddr,
    /// Whoever changes them takes turns.
    pub(crate) changing: tokio::sync::Mutex<()>,
}

impl Holder {
    pub(crate) async fn load(config: &Config, address: SocketAddr, store: &Store) -> Result<Self> {
        let settings = Settings::load(store).await.context("the settings cannot be read")?;
        let now = RwLock::new(Arc::new(Effective::new(config, address, settings)));
        Ok(Self { now, address, changing: tokio::sync::Mutex::default() })
    }

    /// What holds at this moment.
    pub(crate) fn now(&self) -> Arc<Effective> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// These hold from now on.
    pub(crate) fn replace(&self, config: &Config, settings: Settings) -> Arc<Effective> {
        let effective = Arc::new(Effective::new(config, self.address, settings));
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = effective.clone();
        effective
    }
}

/// The address of a server that nobody gave a public one.
pub(crate) fn own_url(config: &Config, address: SocketAddr) -> String {
    if let Some(url) = &config.public_url {
        return url.clone();
    }
    match &config.certificate {
        None => format!("http://{address}"),
        Some(Certificate::Acme(Acme { domains, .. })) if !domains.is_empty() => {
            let port = if address.port() == 443 { String::new() } else { format!(":{}", address.port()) };
            format!("https://{}{port}", domains[0])
        }
        Some(_) => format!("https://{address}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses() {
        for (url, tls, good) in [
            ("https://support.example.com", false, true),
            ("https://Support.example.com:8443/", false, true),
            ("http://support.example.com", false, false),
            ("http://127.0.0.1:8480", false, true),
            ("http://[::1]:8480", false, true),
            ("http://localhost:8480", false, true),
            ("http://localhost:8480", true, false),
            ("https://support.example.com/path", false, false),
            ("https://support.example.com?x=1", false, false),
            ("https://user@support.example.com", false, false),
            ("support.example.com", false, false),
            ("javascript:alert(1)", false, false),
        ] {
            let settings = Settings { public_url: Some(url.into()), ..Default::default() }.checked(tls);
            assert_eq!(settings.is_ok(), good, "{url} {tls}: {settings:?}");
        }
        let settings = Settings { public_url: Some(" https://Help.Example/ ".into()), ..Default::default() };
        assert_eq!(settings.checked(true).unwrap().public_url.as_deref(), Some("https://help.example"));
        let settings = Settings { public_url: Some("  ".into()), ..Default::default() };
        assert_eq!(settings.checked(true).unwrap().public_url, None);
    }

    #[test]
    fn proxies_are_never_everybody() {
        for (text, expected) in [
            ("10.0.0.1", Some("10.0.0.1/32")),
            ("10.1.2.3/8", Some("10.0.0.0/8")),
            ("fd00::/8", Some("fd00::/8")),
            ("0.0.0.0/0", None),
            ("::/0", None),
            ("proxy", None),
        ] {
            let settings = Settings { trusted_proxies: vec![text.into()], ..Default::default() }.checked(false);
            assert_eq!(
                settings.ok().map(|settings| settings.trusted_proxies),
                expected.map(|net| vec![net.to_owned()])
            );
        }
    }

    #[test]
    fn bounds() {
        let unfit = |settings: Settings| settings.checked(false).is_err();
        assert!(unfit(Settings { most_viewers: 0, ..Default::default() }));
        assert!(unfit(Settings { most_viewers: 17, ..Default::default() }));
        assert!(unfit(Settings { session_hours: Some(0), ..Default::default() }));
        assert!(unfit(Settings { unwatched_minutes: Some(1441), ..Default::default() }));
        assert!(unfit(Settings { consent_message: "x".repeat(301), ..Default::default() }));
        let told = Settings { notice_message: " call us\u{202e}\n ".into(), ..Default::default() };
        assert_eq!(told.checked(false).unwrap().notice_message, "call us");
    }
}
