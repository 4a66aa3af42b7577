//! Whether the other end of a TLS connection is the server that it should be.

use std::sync::Arc;

use gc_protocol::identity;
use ring::signature::{ED25519, UnparsedPublicKey};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;
use x509_cert::Certificate;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Encode};

/// Where a self-made certificate carries its identity's signature.
const SIGNATURE: ObjectIdentifier = ObjectIdentifier::new_unwrap(identity::OID_TEXT);

/// Verifies by the system's roots; a self-made certificate by the identity that
/// its key is signed with, and by nothing else.
#[derive(Debug)]
pub(crate) struct Pinned {
    /// The server's Ed25519 identity, where one is known.
    identity: Option<[u8; 32]>,
    /// A system without roots can still verify self-made certificates.
    system: Result<Verifier, Error>,
    provider: Arc<CryptoProvider>,
}

impl Pinned {
    pub(crate) fn new(identity: Option<[u8; 32]>, provider: Arc<CryptoProvider>) -> Self {
        Self { identity, system: Verifier::new(provider.clone()), provider }
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match (is_signed_by(end_entity, self.identity.as_ref()), &self.system) {
            (Some(true), _) => Ok(ServerCertVerified::assertion()),
            (Some(false), _) => Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)),
            (None, Ok(system)) => system.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now),
            (None, Err(error)) => Err(error.clone()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Whether this identity has signed the certificate's key; `None` for a
/// certificate that claims no identity.
fn is_signed_by(certificate: &CertificateDer<'_>, identity: Option<&[u8; 32]>) -> Option<bool> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let claims = certificate.tbs_certificate();
    let mut found = claims.extensions()?.iter().filter(|extension| extension.extn_id == SIGNATURE);
    let signature = found.next()?;
    let key = claims.subject_public_key_info().to_der().ok()?;
    let verified = identity.is_some_and(|identity| {
        let identity = UnparsedPublicKey::new(&ED25519, identity);
        identity.verify(&identity::signed(&key), signature.extn_value.as_bytes()).is_ok()
    });
    // Two of them are nobody's own making.
    Some(verified && found.next().is_none())
}
