//! What is wrong with a secure connection, and what to do about it.

use rustls::{AlertDescription, CertificateError, Error};

/// The words for this error of TLS.
pub(crate) fn explained(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(error) => of_certificate(error),
        // What a server says that has not understood the first word.
        Error::InvalidMessage(_) => PLAIN.to_owned(),
        Error::AlertReceived(AlertDescription::UnrecognisedName) => {
            "it has no certificate for this name; use the name that its certificate is for".into()
        }
        Error::NoCertificatesPresented => "it shows no certificate; see its log".into(),
        error => format!("{error}; use http:// if the server speaks plain HTTP"),
    }
}

/// For a server that speaks HTTP where TLS was expected.
pub(crate) const PLAIN: &str = "it speaks plain HTTP, not TLS; use http:// in place of https://";

fn of_certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => {
            "nobody whom this host trusts has signed its certificate; name the certificate of its \
             authority as ca-file, or install it on this host"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired; have it renewed"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet; compare the clocks of both hosts"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            return format!("{error}; use a name that its certificate is for");
        }
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "its certificate is that of an authority (CA:TRUE), which signs others and is no \
             server's; make one with CA:FALSE (openssl req -x509 ... -addext \
             basicConstraints=critical,CA:FALSE)"
        }
        error => return format!("its certificate is not accepted ({error})"),
    }
    .to_owned()
}
