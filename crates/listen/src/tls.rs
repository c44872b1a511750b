//! The TLS certificate: the one given, or one of our own making that is kept.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    net::IpAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

/// Why there is no TLS. The server does not start then; it never falls back to plain HTTP.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {reason}; give a PEM file", .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Certificate and key do not go together, or are of a kind that TLS cannot use.
    #[error("the certificate {} cannot be used with the key {}: {reason}", .cert.display(), .key.display())]
    Unusable {
        /// The certificate.
        cert: PathBuf,
        /// Its key.
        key: PathBuf,
        /// Why.
        reason: String,
    },
    /// There is nowhere to keep a certificate.
    #[error(
        "there is no folder to keep a certificate in: set HOME or XDG_CONFIG_HOME, or give \
         --ssl-cert and --ssl-key"
    )]
    NoFolder,
    /// None could be made.
    #[error("no certificate could be made: {0}")]
    NotMade(#[from] rcgen::Error),
}

/// Browsers on Apple systems take none that is valid for longer than 825 days.
const VALID: Duration = Duration::from_secs(820 * 24 * 3600);
const RENEW_AFTER: Duration = Duration::from_secs(790 * 24 * 3600);

/// Loads a certificate and its key.
///
/// # Errors
/// When either cannot be read or used.
pub fn load(cert: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let unreadable =
        |path: &Path, reason: String| TlsError::Unreadable { path: path.to_owned(), reason };
    let chain = CertificateDer::pem_slice_iter(&read(cert)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unreadable(cert, error.to_string()))?;
    if chain.is_empty() {
        return Err(unreadable(cert, "it contains no certificate".into()));
    }
    let private = PrivateKeyDer::from_pem_slice(&read(key)?)
        .map_err(|error| unreadable(key, error.to_string()))?;
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private))
            .map_err(|error| TlsError::Unusable {
                cert: cert.to_owned(),
                key: key.to_owned(),
                reason: error.to_string(),
            })?;
    Ok(Arc::new(config))
}

/// The folder in which a certificate of our own making is kept.
///
/// # Errors
/// When there is no home.
pub fn own_folder() -> Result<PathBuf, TlsError> {
    directories::ProjectDirs::from("", "", "live-vlm")
        .map(|folders| folders.config_dir().to_owned())
        .ok_or(TlsError::NoFolder)
}

/// Loads the certificate kept in `folder`, after making one for `names` if there is none, or it
/// is about to end.
///
/// # Errors
/// When it cannot be kept, or the one that is there cannot be used.
pub fn load_or_make(folder: &Path, names: Vec<String>) -> Result<Arc<ServerConfig>, TlsError> {
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let is_fresh = |path: &Path| {
        let modified = fs::metadata(path).and_then(|meta| meta.modified()).ok();
        modified.is_some_and(|at| at.elapsed().is_ok_and(|age| age < RENEW_AFTER))
    };
    if !is_fresh(&cert) || !is_fresh(&key) {
        tracing::info!(folder = %folder.display(), "making a certificate");
        make(folder, &cert, &key, names)?;
    }
    load(&cert, &key)
}

fn make(folder: &Path, cert: &Path, key: &Path, names: Vec<String>) -> Result<(), TlsError> {
    let mut params = rcgen::CertificateParams::new(names)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "live-vlm");
    let now = SystemTime::now();
    params.not_before = (now - Duration::from_secs(24 * 3600)).into();
    params.not_after = (now + VALID).into();
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let pair = rcgen::KeyPair::generate()?;
    let made = params.self_signed(&pair)?;
    fs::create_dir_all(folder)
        .map_err(|source| TlsError::File { path: folder.to_owned(), source })?;
    write_private(key, pair.serialize_pem().as_bytes())?;
    write_private(cert, made.pem().as_bytes())
}

/// Writes a file that only we may read, whole or not at all.
fn write_private(path: &Path, contents: &[u8]) -> Result<(), TlsError> {
    let failed = |source| TlsError::File { path: path.to_owned(), source };
    let new = path.with_extension("pem.new");
    let _ = fs::remove_file(&new);
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).map_err(failed)?;
    file.write_all(contents).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&new, path).map_err(failed)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::File { path: path.to_owned(), source })
}

/// The names that a certificate of our own making is for.
pub fn own_names(addresses: &[IpAddr]) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    names.extend(addresses.iter().map(ToString::to_string));
    names
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_certificate_is_made_once_and_kept_for_us_alone() {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("live-vlm");
        load_or_make(&kept, own_names(&[])).unwrap();
        let first = fs::read(kept.join("cert.pem")).unwrap();
        load_or_make(&kept, own_names(&[])).unwrap();
        assert_eq!(fs::read(kept.join("cert.pem")).unwrap(), first);
        for file in ["cert.pem", "key.pem"] {
            let mode = fs::metadata(kept.join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
    }

    #[test]
    fn a_bad_certificate_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        load_or_make(&path("a"), own_names(&[])).unwrap();
        load_or_make(&path("b"), own_names(&[])).unwrap();
        let mixed = load(&path("a/cert.pem"), &path("b/key.pem")).unwrap_err();
        assert!(matches!(mixed, TlsError::Unusable { .. }), "{mixed}");
        assert!(matches!(load(&path("none.pem"), &path("a/key.pem")), Err(TlsError::File { .. })));
        fs::write(path("garbage.pem"), "garbage").unwrap();
        for (cert, key) in [("garbage.pem", "a/key.pem"), ("a/cert.pem", "garbage.pem")] {
            let error = load(&path(cert), &path(key)).unwrap_err();
            assert!(error.to_string().contains("garbage.pem"), "{error}");
        }
    }

    #[test]
    fn a_kept_certificate_that_was_damaged_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        load_or_make(folder.path(), own_names(&[])).unwrap();
        fs::write(folder.path().join("cert.pem"), "damaged").unwrap();
        assert!(load_or_make(folder.path(), own_names(&[])).is_err());
    }
}
