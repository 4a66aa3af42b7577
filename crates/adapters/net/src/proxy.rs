//! The proxy that the environment or the system names, and how to get through.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use crate::ConnectError;

/// Longest answer of a proxy that is read, in bytes.
const ANSWER: usize = 8 << 10;

/// What the system's settings say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct System {
    /// `host:port`, or `https=host:port;http=…`; empty for none.
    server: String,
    /// Hosts that are reached directly: `*.example;<local>`.
    bypass: String,
}

/// The user's settings in Windows' control panel. A script that finds proxies
/// is not asked.
#[cfg(windows)]
pub(crate) fn system() -> System {
    const KEY: &str = "Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings";
    let Ok(key) = windows_registry::CURRENT_USER.open(KEY) else { return System::default() };
    if key.get_u32("ProxyEnable").unwrap_or(0) == 0 {
        return System::default();
    }
    let text = |name| key.get_string(name).unwrap_or_default();
    System { server: text("ProxyServer"), bypass: text("ProxyOverride") }
}

/// Elsewhere the environment is the system's setting.
#[cfg(not(windows))]
pub(crate) fn system() -> System {
    System::default()
}

impl System {
    fn for_target(&self, target: &Url) -> Option<String> {
        let host = target.host_str()?.to_lowercase();
        let bypassed = self.bypass.to_lowercase().split(';').map(str::trim).any(|entry| match entry {
            "<local>" => !host.contains('.'),
            entry => match entry.split_once('*') {
                Some((start, end)) => host.starts_with(start) && host.ends_with(end) && host.len() >= entry.len() - 1,
                None => !entry.is_empty() && host == entry,
            },
        });
        if bypassed {
            return None;
        }
        let wanted = if target.scheme() == "wss" { "https=" } else { "http=" };
        let mut entries = self.server.split(';').map(str::trim).filter(|entry| !entry.is_empty());
        entries.find_map(|entry| match entry.strip_prefix(wanted) {
            Some(server) => Some(server.to_owned()),
            None => (!entry.contains('=')).then(|| entry.to_owned()),
        })
    }
}

/// The proxy for `target`, by the usual variables, else by the system's
/// settings; `None` to go directly.
///
/// # Errors
/// [`ConnectError::Proxy`] where one is named that is not to be used: going
/// directly instead would not be what was asked for.
pub(crate) fn for_target(
    target: &Url,
    variable: impl Fn(&str) -> Option<String>,
    system: &System,
) -> Result<Option<Url>, ConnectError> {
    let Some(host) = target.host_str() else { return Ok(None) };
    let get = |name: &str| variable(name).or_else(|| variable(&name.to_uppercase())).filter(|value| !value.is_empty());
    let skip = get("no_proxy").unwrap_or_default();
    let skipped = skip
        .split(',')
        .map(|entry| entry.trim().trim_start_matches('.'))
        .any(|entry| entry == "*" || (!entry.is_empty() && (host == entry || host.ends_with(&format!(".{entry}")))));
    if skipped || is_loopback(target) {
        return Ok(None);
    }
    let named = get(if target.scheme() == "wss" { "https_proxy" } else { "http_proxy" }).or_else(|| get("all_proxy"));
    let Some(value) = named.or_else(|| system.for_target(target)) else { return Ok(None) };
    let value = if value.contains("://") { value } else { format!("http://{value}") };
    let proxy = Url::parse(&value).ok().filter(|proxy| proxy.scheme() == "http" && proxy.host_str().is_some());
    proxy.map(Some).ok_or(ConnectError::Proxy)
}

/// Whether a URL names this very machine.
pub(crate) fn is_loopback(target: &Url) -> bool {
    match target.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A stream to `host`:`port` through the proxy.
pub(crate) async fn through(proxy: &Url, host: &str, port: u16) -> Result<TcpStream, ConnectError> {
    let proxy_host = proxy.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let mut stream = TcpStream::connect((proxy_host, proxy.port_or_known_default().unwrap_or(80)))
        .await
        .map_err(ConnectError::Network)?;
    let request = request(proxy, host, port);
    stream.write_all(request.as_bytes()).await.map_err(ConnectError::Network)?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= ANSWER {
            return Err(ConnectError::Proxy);
        }
        answer.push(stream.read_u8().await.map_err(ConnectError::Network)?);
    }
    let status = std::str::from_utf8(&answer).ok().and_then(|text| text.split(' ').nth(1));
    if status.is_some_and(|status| status.len() == 3 && status.starts_with('2')) {
        Ok(stream)
    } else {
        Err(ConnectError::Proxy)
    }
}

fn request(proxy: &Url, host: &str, port: u16) -> String {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let login = (!proxy.username().is_empty()).then(|| {
        let pair = format!("{}:{}", decoded(proxy.username()), decoded(proxy.password().unwrap_or_default()));
        format!("Proxy-Authorization: Basic {}\r\n", BASE64.encode(pair))
    });
    let login = login.unwrap_or_default();
    format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n{login}\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_proxy() {
        let check = |target: &str, variables: &[(&str, &str)], expected: Option<&str>| {
            let find =
                |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            let got = for_target(&Url::parse(target).unwrap(), find, &System::default()).unwrap();
            assert_eq!(got.as_ref().map(Url::as_str), expected, "{target} {variables:?}");
        };
        check("wss://help.example", &[], None);
        check("wss://help.example", &[("https_proxy", "http://proxy:3128")], Some("http://proxy:3128/"));
        check("wss://help.example", &[("HTTPS_PROXY", "proxy:3128")], Some("http://proxy:3128/"));
        check("wss://help.example", &[("https_proxy", "http://proxy:3128"), ("no_proxy", ".example")], None);
        check("wss://127.0.0.1", &[("https_proxy", "http://proxy:3128")], None);
        let named = |_: &str| Some("ftp://proxy".to_owned());
        let target = Url::parse("wss://help.example").unwrap();
        let all_but_skip = |name: &str| named(name).filter(|_| name == "https_proxy");
        assert!(for_target(&target, all_but_skip, &System::default()).is_err(), "a proxy that cannot be used");
    }

    #[test]
    fn the_systems_proxy() {
        let check = |server: &str, bypass: &str, expected: Option<&str>| {
            let system = System { server: server.into(), bypass: bypass.into() };
            let got = for_target(&Url::parse("wss://help.example").unwrap(), |_| None, &system).unwrap();
            assert_eq!(got.as_ref().map(Url::as_str), expected, "{server} {bypass}");
        };
        check("", "", None);
        check("proxy:3128", "", Some("http://proxy:3128/"));
        check("http=a:1;https=b:2", "", Some("http://b:2/"));
        check("http=a:1", "", None);
        check("proxy:3128", "<local>;*.example", None);
        check("proxy:3128", "<local>;10.*", Some("http://proxy:3128/"));
        check("proxy:3128", "help.example", None);
    }

    #[test]
    fn what_the_proxy_is_asked() {
        let check = |proxy: &str, host: &str, expected: &str| {
            assert_eq!(request(&Url::parse(proxy).unwrap(), host, 443), expected);
        };
        check("http://p", "help.example", "CONNECT help.example:443 HTTP/1.1\r\nHost: help.example:443\r\n\r\n");
        check("http://p", "::1", "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n");
        check(
            "http://ada:s%40fe@p",
            "h",
            "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\nProxy-Authorization: Basic YWRhOnNAZmU=\r\n\r\n",
        );
    }
}
