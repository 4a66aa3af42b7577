//! The proxy that the environment names, and how to get through it.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use crate::ConnectError;

/// Longest answer of a proxy that is read, in bytes.
const ANSWER: usize = 8 << 10;

/// The proxy for `target`, by the usual variables; `None` to go directly.
pub(crate) fn for_target(target: &Url, variable: impl Fn(&str) -> Option<String>) -> Option<Url> {
    let host = target.host_str()?;
    let get = |name: &str| variable(name).or_else(|| variable(&name.to_uppercase())).filter(|value| !value.is_empty());
    let skip = get("no_proxy").unwrap_or_default();
    let skipped = skip
        .split(',')
        .map(|entry| entry.trim().trim_start_matches('.'))
        .any(|entry| entry == "*" || (!entry.is_empty() && (host == entry || host.ends_with(&format!(".{entry}")))));
    if skipped || is_loopback(target) {
        return None;
    }
    let value =
        get(if target.scheme() == "wss" { "https_proxy" } else { "http_proxy" }).or_else(|| get("all_proxy"))?;
    let value = if value.contains("://") { value } else { format!("http://{value}") };
    Url::parse(&value).ok().filter(|proxy| proxy.scheme() == "http" && proxy.host_str().is_some())
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
    let request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(ConnectError::Network)?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= ANSWER {
            return Err(ConnectError::Proxy);
        }
        answer.push(stream.read_u8().await.map_err(ConnectError::Network)?);
    }
    let status = std::str::from_utf8(&answer).ok().and_then(|text| text.split(' ').nth(1));
    if status == Some("200") { Ok(stream) } else { Err(ConnectError::Proxy) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_proxy() {
        let check = |target: &str, variables: &[(&str, &str)], expected: Option<&str>| {
            let find =
                |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            let got = for_target(&Url::parse(target).unwrap(), find);
            assert_eq!(got.as_ref().map(Url::as_str), expected, "{target} {variables:?}");
        };
        check("wss://help.example", &[], None);
        check("wss://help.example", &[("https_proxy", "http://proxy:3128")], Some("http://proxy:3128/"));
        check("wss://help.example", &[("HTTPS_PROXY", "proxy:3128")], Some("http://proxy:3128/"));
        check("wss://help.example", &[("https_proxy", "http://proxy:3128"), ("no_proxy", ".example")], None);
        check("wss://127.0.0.1", &[("https_proxy", "http://proxy:3128")], None);
        check("wss://help.example", &[("https_proxy", "ftp://proxy")], None);
    }
}
