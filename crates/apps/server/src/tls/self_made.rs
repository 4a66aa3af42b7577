//! A certificate of our own making, for servers that no authority can reach.
//! It carries the identity's signature over its key, which agents check against
//! their deployment anchor. Browsers warn of it.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use ed25519_dalek::{Signer, SigningKey};
use gc_protocol::identity;
use rcgen::{CertificateParams, CustomExtension, DnType, KeyPair};
use rustls::server::ResolvesServerCert;
use rustls::sign::SingleCertAndKey;
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

use crate::config::Config;
use crate::keys;

/// Ten years: nobody verifies it by its dates.
const LIFE: Duration = Duration::days(3650);

/// The certificate in the data folder, made where there is none for these
/// names: whoever has told a browser to trust it need not do so again.
pub(super) fn resolver(config: &Config, identity: &SigningKey) -> Result<Arc<dyn ResolvesServerCert>> {
    let names = hosts(config);
    // Another identity or other names want another certificate.
    let mut tag = Sha256::new_with_prefix(identity.verifying_key().as_bytes());
    tag.update(names.join("\n"));
    let tag: String = tag.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let chain = config.data.join(format!("self-made-{tag}.crt"));
    let key = config.data.join(format!("self-made-{tag}.key"));
    if !(chain.exists() && key.exists()) {
        make(&names, identity, &chain, &key).context("a certificate could not be made")?;
    }
    Ok(Arc::new(SingleCertAndKey::from(super::files::load(&chain, &key)?)))
}

/// The names under which this server is reached, as far as it knows.
fn hosts(config: &Config) -> Vec<String> {
    let public = config.public_url.as_deref().and_then(|url| url.parse::<http::Uri>().ok());
    let public = public.and_then(|url| url.host().map(|host| host.trim_matches(['[', ']']).to_owned()));
    let listens = Some(config.listen.ip()).filter(|ip| !ip.is_unspecified()).map(|ip| ip.to_string());
    let mut hosts: Vec<String> = public.into_iter().chain(listens).chain(["localhost".to_owned()]).collect();
    hosts.dedup();
    hosts
}

fn make(names: &[String], identity: &SigningKey, chain: &Path, key: &Path) -> Result<()> {
    let pair = KeyPair::generate()?;
    let mut params = CertificateParams::new(names)?;
    let name = names.iter().find(|name| name.parse::<IpAddr>().is_err()).or(names.first());
    params.distinguished_name.push(DnType::CommonName, name.map_or("GuruConnect", String::as_str));
    // A day for clocks that are late.
    params.not_before = OffsetDateTime::now_utc() - Duration::days(1);
    params.not_after = params.not_before + LIFE;
    let signature = identity.sign(&identity::signed(&pair.public_key_der()));
    params.custom_extensions.push(CustomExtension::from_oid_content(&identity::OID, signature.to_bytes().to_vec()));
    let certificate = params.self_signed(&pair)?;
    keys::write(key, pair.serialize_pem().as_bytes())?;
    keys::write(chain, certificate.pem().as_bytes())
}
