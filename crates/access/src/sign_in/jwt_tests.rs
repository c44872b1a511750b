use jsonwebtoken::{EncodingKey, encode, get_current_timestamp, jwk::Jwk};
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData};
use serde_json::json;

use super::*;

struct Signer {
    pair: KeyPair,
    kid: Option<String>,
}

impl Signer {
    fn new(kid: Option<&str>) -> Self {
        Self { pair: KeyPair::generate().unwrap(), kid: kid.map(str::to_owned) }
    }

    fn verifying_key(&self) -> VerifyingKey {
        let key = DecodingKey::from_ec_der(self.pair.der_bytes());
        VerifyingKey { kid: self.kid.clone(), algorithm: None, key }
    }

    fn sign(&self, claims: &Value) -> String {
        let key = EncodingKey::from_ec_der(&self.pair.serialize_der());
        let header = Header { kid: self.kid.clone(), ..Header::new(Algorithm::ES256) };
        encode(&header, claims, &key).unwrap()
    }
}

fn rules() -> TokenRules {
    TokenRules {
        issuer: "https://id.example".into(),
        audience: "live-vlm".into(),
        algorithms: vec![Algorithm::ES256],
        user_claim: "sub".into(),
        groups_claim: "groups".into(),
    }
}

fn claims() -> Value {
    json!({
        "iss": "https://id.example",
        "aud": ["other", "live-vlm"],
        "sub": "ada",
        "groups": ["staff", 7, "ni\nght", "day"],
        "exp": get_current_timestamp() + 600,
        "nbf": get_current_timestamp() - 600,
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

#[test]
fn a_good_token_names_its_user_groups_and_end() {
    let signer = Signer::new(Some("1"));
    let verified = verify(&signer.sign(&claims()), &[signer.verifying_key()], &rules()).unwrap();
    assert_eq!(verified.user, User::signed_in("ada", vec!["staff".into(), "day".into()]));
    let until = claims()["exp"].as_i64().unwrap() + LEEWAY_S as i64;
    assert!((until - verified.until.unix_timestamp()).abs() <= 1);
}

#[test]
fn a_token_that_is_not_for_us_now_is_refused_and_the_log_is_told_why() {
    let signer = Signer::new(None);
    let now = get_current_timestamp();
    for (claims, why) in [
        (with("exp", json!(now - LEEWAY_S - 2)), BadToken::Expired),
        (with("exp", json!(0)), BadToken::Expired),
        (with("nbf", json!(now + LEEWAY_S + 5)), BadToken::NotYet),
        (with("nbf", json!("soon")), BadToken::Claims),
        (with("exp", json!("never")), BadToken::Claims),
        (with("iss", json!("https://evil.example")), BadToken::Issuer),
        (with("iss", json!(["https://evil.example"])), BadToken::Issuer),
        (with("iss", json!(["https://id.example"])), BadToken::Issuer),
        (with("iss", json!(["https://id.example", "https://evil.example"])), BadToken::Issuer),
        (with("iss", json!(null)), BadToken::Claims),
        (with("aud", json!("another")), BadToken::Audience),
        (with("aud", json!([])), BadToken::Audience),
        (without("exp"), BadToken::Claims),
        (without("iss"), BadToken::Claims),
        (without("aud"), BadToken::Claims),
        (without("sub"), BadToken::User),
        (with("sub", json!("a\nb")), BadToken::User),
        (with("sub", json!("ada\u{202e}")), BadToken::User),
        (with("sub", json!("a\u{200b}da")), BadToken::User),
        (with("sub", json!("a\u{2028}da")), BadToken::User),
        (with("sub", json!(7)), BadToken::User),
    ] {
        let result = verify(&signer.sign(&claims), &[signer.verifying_key()], &rules());
        assert_eq!(result, Err(why), "{claims}");
    }
    let near = with("exp", json!(now - LEEWAY_S + 5));
    assert!(verify(&signer.sign(&near), &[signer.verifying_key()], &rules()).is_ok());
    assert!(verify(&signer.sign(&without("nbf")), &[signer.verifying_key()], &rules()).is_ok());
}

#[test]
fn the_key_that_a_token_names_is_the_only_one_that_verifies_it() {
    let (one, two) = (Signer::new(Some("1")), Signer::new(Some("2")));
    let keys = [one.verifying_key(), two.verifying_key()];
    assert!(verify(&two.sign(&claims()), &keys, &rules()).is_ok());
    let unknown = Signer::new(Some("3")).sign(&claims());
    assert_eq!(verify(&unknown, &keys, &rules()), Err(BadToken::UnknownKey));
    let forged = Signer::new(Some("1")).sign(&claims());
    assert_eq!(verify(&forged, &keys, &rules()), Err(BadToken::Signature));
    // One that names none may be of any key, a newer one too.
    let nameless = Signer { pair: two.pair, kid: None }.sign(&claims());
    assert!(verify(&nameless, &keys, &rules()).is_ok());
    let other = Signer::new(None).sign(&claims());
    assert_eq!(verify(&other, &keys, &rules()), Err(BadToken::UnknownKey));
}

#[test]
fn a_token_does_not_choose_its_algorithm() {
    let signer = Signer::new(None);
    let keys = [signer.verifying_key()];
    // The public key, which everybody has, as the secret of an HMAC.
    let secret = EncodingKey::from_secret(signer.pair.public_key_pem().as_bytes());
    let raw = EncodingKey::from_secret(signer.pair.der_bytes());
    let everything = TokenRules {
        algorithms: vec![Algorithm::ES256, Algorithm::HS256, Algorithm::RS256],
        ..rules()
    };
    for secret in [secret, raw] {
        let token = encode(&Header::new(Algorithm::HS256), &claims(), &secret).unwrap();
        assert_eq!(verify(&token, &keys, &rules()), Err(BadToken::Algorithm));
        assert_eq!(verify(&token, &keys, &everything), Err(BadToken::UnknownKey));
    }
    let edwards = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let edwards = EncodingKey::from_ed_der(&edwards.serialize_der());
    let token = encode(&Header::new(Algorithm::EdDSA), &claims(), &edwards).unwrap();
    assert_eq!(verify(&token, &keys, &rules()), Err(BadToken::Algorithm));

    let token = signer.sign(&claims());
    let (message, signature) = token.rsplit_once('.').unwrap();
    let payload = message.split('.').nth(1).unwrap();
    for none in ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJOb25lIiwidHlwIjoiSldUIn0"] {
        for signature in ["", signature] {
            let token = format!("{none}.{payload}.{signature}");
            assert_eq!(verify(&token, &keys, &everything), Err(BadToken::Malformed));
        }
    }
    for other in ["", ".", "..", "a.b.c", &token[..token.len() / 2], &"a".repeat(MAX_BYTES + 1)] {
        assert_eq!(verify(other, &keys, &rules()), Err(BadToken::Malformed), "{other}");
    }
    let demanding = Header { crit: Some(vec!["b64".into()]), ..Header::new(Algorithm::ES256) };
    let key = EncodingKey::from_ec_der(&signer.pair.serialize_der());
    let token = encode(&demanding, &claims(), &key).unwrap();
    assert_eq!(verify(&token, &keys, &rules()), Err(BadToken::Malformed));
}

#[test]
fn a_key_verifies_by_its_own_algorithm_only() {
    let signer = Signer::new(None);
    let key = VerifyingKey { algorithm: Some(Algorithm::ES384), ..signer.verifying_key() };
    assert_eq!(verify(&signer.sign(&claims()), &[key], &rules()), Err(BadToken::UnknownKey));
}

/// RFC 7515, appendix A.2: signed by RS256, and without an audience.
#[test]
fn the_example_of_the_standard_has_the_right_signature() {
    let jwk: Jwk = serde_json::from_value(json!({
        "kty": "RSA",
        "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt\
              0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSX\
              ndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5\
              IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
        "e": "AQAB",
    }))
    .unwrap();
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcG\
                 xlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5\
                 RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgr\
                 nbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkH\
                 WEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0i\
                 gcN_IoypGlUPQGe77Rw";
    let key = DecodingKey::from_jwk(&jwk).unwrap();
    let keys = [VerifyingKey { kid: None, algorithm: None, key }];
    let rules = TokenRules { issuer: "joe".into(), algorithms: vec![Algorithm::RS256], ..rules() };
    // The signature is looked at first, and then the claims.
    assert_eq!(verify(token, &keys, &rules), Err(BadToken::Claims));
    let forged = token.replace(".cC4h", ".cC4i");
    assert_eq!(verify(&forged, &keys, &rules), Err(BadToken::UnknownKey));
}

#[test]
fn claims_may_be_elsewhere() {
    let signer = Signer::new(None);
    let mut claims = claims();
    claims["https://id.example/name"] = json!("Ada");
    claims["realm_access"] = json!({"roles": ["admin"]});
    let rules = TokenRules {
        user_claim: "https://id.example/name".into(),
        groups_claim: "realm_access.roles".into(),
        ..rules()
    };
    let verified = verify(&signer.sign(&claims), &[signer.verifying_key()], &rules).unwrap();
    assert_eq!(verified.user, User::signed_in("Ada", vec!["admin".into()]));
    claims["realm_access"] = json!({"roles": vec!["g"; 1000]});
    let verified = verify(&signer.sign(&claims), &[signer.verifying_key()], &rules).unwrap();
    assert_eq!(verified.user.groups.len(), names::MOST_GROUPS);
}
