//! An authority of one's own, whose certificates are believed beside those that the host trusts.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use reqwest::Certificate;
use rustls::pki_types::{CertificateDer, pem::PemObject};

/// A file has the certificates of a few authorities; the system's own has some 150.
const MOST: usize = 512;
const LONGEST: u64 = 4 << 20;

/// The certificates of authorities, from a file.
#[derive(Clone, PartialEq, Eq)]
pub struct Authority {
    file: PathBuf,
    certificates: Vec<CertificateDer<'static>>,
}

/// Why a file names no [`Authority`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadAuthority {
    /// It is not to be had.
    #[error("{file} cannot be read: {reason}")]
    Unreadable {
        /// Which.
        file: String,
        /// Why.
        reason: String,
    },
    /// It has something else in it.
    #[error("{file} has no certificate in it; name a PEM file with an authority's certificate")]
    NoCertificate {
        /// Which.
        file: String,
    },
}

impl Authority {
    /// Reads a PEM file with one certificate or several.
    ///
    /// # Errors
    /// When there is none in it.
    pub fn read(file: &Path) -> Result<Self, BadAuthority> {
        let name = file.display().to_string();
        let unreadable = |reason: String| BadAuthority::Unreadable { file: name.clone(), reason };
        let size = std::fs::metadata(file).map_err(|error| unreadable(error.to_string()))?.len();
        if size > LONGEST {
            return Err(unreadable(format!("it has more than {LONGEST} bytes")));
        }
        let pem = std::fs::read(file).map_err(|error| unreadable(error.to_string()))?;
        let certificates = CertificateDer::pem_slice_iter(&pem).take(MOST);
        let certificates: Result<Vec<_>, _> = certificates.collect();
        match certificates {
            Ok(certificates) if !certificates.is_empty() => {
                Ok(Self { file: file.to_owned(), certificates })
            }
            _ => Err(BadAuthority::NoCertificate { file: name }),
        }
    }

    /// Where it was read from.
    pub fn file(&self) -> &Path {
        &self.file
    }

    pub(crate) fn certificates(&self) -> impl Iterator<Item = Certificate> {
        self.certificates.iter().filter_map(|der| Certificate::from_der(der).ok())
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority({})", self.file.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_certificate_is_refused_by_name() {
        let missing = Authority::read(Path::new("/nonexistent/ca.pem")).unwrap_err();
        assert!(missing.to_string().starts_with("/nonexistent/ca.pem cannot be read"), "{missing}");
        let other = Authority::read(Path::new(file!()))
            .or_else(|_| Authority::read(Path::new("Cargo.toml")));
        assert!(matches!(other, Err(BadAuthority::NoCertificate { .. })), "{other:?}");
    }
}
