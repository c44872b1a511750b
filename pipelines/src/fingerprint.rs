use std::fmt;

use gst::glib;

/// The fingerprint of a DTLS certificate, as `a=fingerprint` gives it (RFC 8122, section 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    hash: Hash,
    digest: Vec<u8>,
}

/// The hash functions that are strong enough. SHA-1 and MD5 are not (RFC 8122, section 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn digest(self, data: &[u8]) -> Option<Vec<u8>> {
        let kind = match self {
            Hash::Sha256 => glib::ChecksumType::Sha256,
            Hash::Sha384 => glib::ChecksumType::Sha384,
            Hash::Sha512 => glib::ChecksumType::Sha512,
        };
        let hex = glib::compute_checksum_for_data(kind, data)?;
        hex.as_bytes().chunks(2).map(hex_byte).collect()
    }

    fn name(self) -> &'static str {
        match self {
            Hash::Sha256 => "sha-256",
            Hash::Sha384 => "sha-384",
            Hash::Sha512 => "sha-512",
        }
    }

    fn len(self) -> usize {
        match self {
            Hash::Sha256 => 32,
            Hash::Sha384 => 48,
            Hash::Sha512 => 64,
        }
    }
}

impl Fingerprint {
    /// Reads `sha-256 AB:CD:...`. `None` when the hash is unknown or too weak, or the digest is
    /// not of its length.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let (hash, digest) = value.trim().split_once(' ')?;
        let hash = match hash.to_ascii_lowercase().as_str() {
            "sha-256" => Hash::Sha256,
            "sha-384" => Hash::Sha384,
            "sha-512" => Hash::Sha512,
            _ => return None,
        };
        let digest: Option<Vec<u8>> =
            digest.trim().split(':').map(|byte| hex_byte(byte.as_bytes())).collect();
        let digest = digest.filter(|digest| digest.len() == hash.len())?;
        Some(Self { hash, digest })
    }

    /// The fingerprint of the first certificate in `pem`.
    pub(crate) fn of(pem: &str) -> Option<Self> {
        let digest = Hash::Sha256.digest(&certificate(pem)?)?;
        Some(Self { hash: Hash::Sha256, digest })
    }

    /// Whether this is the fingerprint of the certificate in `pem`.
    pub(crate) fn matches(&self, pem: &str) -> bool {
        certificate(pem)
            .and_then(|der| self.hash.digest(&der))
            .is_some_and(|digest| digest == self.digest)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest: Vec<String> = self.digest.iter().map(|byte| format!("{byte:02X}")).collect();
        write!(f, "{} {}", self.hash.name(), digest.join(":"))
    }
}

fn hex_byte(hex: &[u8]) -> Option<u8> {
    let [high, low] = hex else { return None };
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
    Some(digit(*high)? << 4 | digit(*low)?)
}

/// The DER bytes of the first certificate in a PEM text (RFC 7468).
fn certificate(pem: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let body: String = body.split_ascii_whitespace().collect();
    let base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    if body.is_empty() || !body.bytes().all(base64) {
        return None;
    }
    Some(glib::base64_decode(&body))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes `live-vlm` in a certificate's frame: what is hashed need not be X.509.
    const PEM: &str = "-----BEGIN CERTIFICATE-----\nbGl2\nZS12bG0=\n-----END CERTIFICATE-----\n";

    fn colons(hash: Hash) -> String {
        let digest = hash.digest(b"live-vlm").unwrap();
        digest.iter().map(|b| format!("{b:02X}")).collect::<Vec<_>>().join(":")
    }

    #[test]
    fn the_certificate_of_the_offer_matches() {
        for (name, hash) in
            [("sha-256", Hash::Sha256), ("SHA-384", Hash::Sha384), ("sha-512", Hash::Sha512)]
        {
            let fingerprint = Fingerprint::parse(&format!("{name} {}", colons(hash))).unwrap();
            assert!(fingerprint.matches(PEM), "{name}");
            let written = fingerprint.to_string();
            assert_eq!(written, format!("{} {}", name.to_ascii_lowercase(), colons(hash)));
        }
    }

    #[test]
    fn another_certificate_does_not_match() {
        let fingerprint = Fingerprint::parse(&format!("sha-256 {}", colons(Hash::Sha256))).unwrap();
        assert!(!fingerprint.matches(&PEM.replace("bGl2", "bGl3")));
        assert!(!fingerprint.matches("no certificate"));
        assert!(!fingerprint.matches("-----BEGIN CERTIFICATE-----\n\0\n-----END CERTIFICATE-----"));
    }

    #[test]
    fn weak_and_broken_fingerprints_are_none() {
        let long = colons(Hash::Sha256);
        for bad in [
            "sha-1 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33".to_owned(),
            "md5 00".to_owned(),
            "sha-256".to_owned(),
            "sha-256 00:11".to_owned(),
            format!("sha-256 {}", long.replace(':', "")),
            format!("sha-512 {long}"),
            format!("sha-256 {}", long.replacen(|c: char| c.is_ascii_hexdigit(), "é", 1)),
        ] {
            assert_eq!(Fingerprint::parse(&bad), None, "{bad}");
        }
    }
}
