use std::sync::LazyLock;

use gst::prelude::*;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, date_time_ymd};

use crate::{PipelineError, fingerprint::Fingerprint, properties::set_if_present};

/// This process's DTLS certificate. It is an ECDSA one on P-256, which every WebRTC peer must know
/// (RFC 8827, section 6.5); the RSA certificate that GStreamer makes by itself is refused by those
/// who know nothing else, aiortc among them.
pub(crate) struct Certificate {
    /// The certificate and its key. Not to be shown to anybody.
    pem: String,
    /// For the answer: webrtcbin's own is wrong where the PEM has a key in it (seen in 1.22).
    pub(crate) fingerprint: Fingerprint,
}

static CERTIFICATE: LazyLock<Result<Certificate, PipelineError>> = LazyLock::new(Certificate::make);

impl Certificate {
    /// The certificate of this process; made when it is first asked for.
    ///
    /// # Errors
    /// When it could not be made.
    pub(crate) fn of_process() -> Result<&'static Self, PipelineError> {
        CERTIFICATE.as_ref().map_err(Clone::clone)
    }

    fn make() -> Result<Self, PipelineError> {
        let failed = |error: rcgen::Error| PipelineError::Certificate(error.to_string());
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "live-vlm");
        // Peers compare the fingerprint and nothing else.
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(2049, 12, 31);
        let pem = params.self_signed(&key).map_err(failed)?.pem();
        let fingerprint = Fingerprint::of(&pem)
            .ok_or_else(|| PipelineError::Certificate("it has no fingerprint".to_owned()))?;
        Ok(Self { pem: pem + &key.serialize_pem(), fingerprint })
    }

    /// Has a webrtcbin show this certificate on every transport that it makes from now on.
    ///
    /// # Errors
    /// When it is not a webrtcbin.
    pub(crate) fn install(&'static self, webrtc: &gst::Element) -> Result<(), PipelineError> {
        let bin = webrtc
            .downcast_ref::<gst::Bin>()
            .ok_or(PipelineError::Lacking("webrtcbin is not a bin"))?;
        bin.connect_deep_element_added(|_, _, element| {
            if element.factory().is_some_and(|factory| factory.name() == "dtlsdec") {
                set_if_present(element, "pem", self.pem.clone());
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_on_p256() {
        let pem = &Certificate::of_process().unwrap().pem;
        assert!(Certificate::of_process().unwrap().fingerprint.matches(pem));
        let body = pem.split_once("-----END CERTIFICATE-----").unwrap().0;
        let body = body.split_once("-----BEGIN CERTIFICATE-----").unwrap().1;
        let der = gst::glib::base64_decode(body);
        // The object identifier of prime256v1 (RFC 5480, section 2.1.1.1), in DER.
        let p256 = [6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7];
        assert!(der.windows(p256.len()).any(|window| window == p256));
    }
}
