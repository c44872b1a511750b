//! Servers that are asked through TLS, or were to be.

use std::{sync::Arc, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, Issuer, KeyPair};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};
use vlm_client::{Authority, Client, Endpoint, Error};

const LONG: Duration = Duration::from_secs(20);
const LIST: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"data\":[{\"id\":\"m\"}]}";

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "an authority of our own");
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate, its key, and the PEM file of whoever signed it.
struct Identity {
    certificate: rcgen::Certificate,
    key: KeyPair,
    file: tempfile::NamedTempFile,
}

impl Identity {
    fn signed_for(names: &[&str], by: &CertifiedIssuer<'static, KeyPair>) -> Self {
        let issuer: &Issuer<'static, KeyPair> = by;
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, issuer).unwrap();
        Self::new(certificate, key, &by.pem())
    }

    /// As `openssl req -x509` makes it.
    fn self_signed_authority(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let pem = certificate.pem();
        Self::new(certificate, key, &pem)
    }

    fn new(certificate: rcgen::Certificate, key: KeyPair, vouching: &str) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), vouching).unwrap();
        Self { certificate, key, file }
    }

    fn authority(&self) -> Option<Arc<Authority>> {
        Some(Arc::new(Authority::read(self.file.path()).unwrap()))
    }

    /// A server with this certificate that lists one model; its address.
    async fn serve(&self) -> Endpoint {
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("https://localhost:{}/v1", listener.local_addr().unwrap().port());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    if stream.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {
                        let _ = stream.write_all(LIST).await;
                        let _ = stream.shutdown().await;
                    }
                });
            }
        });
        Endpoint::new(&base, None).unwrap()
    }
}

async fn error_of(endpoint: &Endpoint) -> Error {
    Client::new().unwrap().models(endpoint, LONG).await.unwrap_err()
}

#[tokio::test]
async fn an_authority_vouches_for_the_server_that_it_was_named_for_and_for_no_other() {
    let identity = Identity::signed_for(&["localhost"], &authority());
    let endpoint = identity.serve().await;
    let client = Client::new().unwrap();
    let trusting = endpoint.clone().with_authority(identity.authority());
    assert_eq!(client.models(&trusting, LONG).await.unwrap()[0].id, "m");
    let error = client.models(&endpoint, LONG).await.unwrap_err();
    assert_eq!(error.kind.name(), "tls");
    assert!(error.to_string().contains("ca-file"), "{error}");
    let other = Identity::signed_for(&["localhost"], &authority());
    let error = client.models(&endpoint.with_authority(other.authority()), LONG).await;
    assert_eq!(error.unwrap_err().kind.name(), "tls");
}

#[tokio::test]
async fn a_certificate_of_an_authoritys_kind_is_told_as_such_though_it_is_trusted() {
    let identity = Identity::self_signed_authority("localhost");
    let endpoint = identity.serve().await;
    for endpoint in [endpoint.clone(), endpoint.with_authority(identity.authority())] {
        let error = error_of(&endpoint).await;
        assert_eq!(error.kind.name(), "tls");
        assert!(error.to_string().contains("CA:TRUE"), "{error}");
        assert!(error.to_string().contains("CA:FALSE"), "{error}");
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_says_so() {
    let identity = Identity::signed_for(&["gpu.example"], &authority());
    let endpoint = identity.serve().await.with_authority(identity.authority());
    let error = error_of(&endpoint).await;
    assert_eq!(error.kind.name(), "tls");
    assert!(error.to_string().contains("gpu.example"), "{error}");
}

#[tokio::test]
async fn a_plain_server_at_an_https_address_is_told_as_such() {
    for waits_for_more in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("https://{}/v1", listener.local_addr().unwrap());
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let mut asked = [0; 4096];
                    let read = stream.read(&mut asked).await.unwrap_or(0);
                    // llama.cpp waits for the end of the line that the first word of TLS is not.
                    if waits_for_more && !asked[..read].starts_with(b"GET ") {
                        while stream.read(&mut asked).await.is_ok_and(|read| read > 0) {}
                        return;
                    }
                    let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
                });
            }
        });
        let error = error_of(&Endpoint::new(&base, None).unwrap()).await;
        assert_eq!(error.kind.name(), "tls", "{error}");
        assert!(error.to_string().contains("use http://"), "{error}");
    }
}

#[tokio::test]
async fn a_secure_server_at_an_http_address_is_told_as_such() {
    let identity = Identity::signed_for(&["localhost"], &authority());
    let secure = identity.serve().await;
    let base = secure.base().replace("https://", "http://");
    let error = error_of(&Endpoint::new(&base, None).unwrap()).await;
    assert!(error.to_string().contains("use https://"), "{error}");
}
