//! Which VLM servers people may bring themselves.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use vlm_client::{Allowed, ApiKey, Authority, BadEndpoint, Endpoint, Reach};

use crate::discover;

/// Decides about every `api_base` that a client names. Cheap to clone.
///
/// What the operator configured, and what was found on this host, is asked as it is. For anything
/// else there is a [`Reach`].
#[derive(Debug, Clone)]
pub struct OwnEndpoints {
    reach: Arc<Reach>,
    /// The base addresses that the server itself asks. A leaf lock, held for a look-up.
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    /// Of the servers that everybody may ask, and who vouches for them.
    own: BTreeMap<String, Option<Arc<Authority>>>,
    /// Of those on this host, which are offered to whoever may bring one.
    found: BTreeSet<String>,
}

/// Why a server that a client names is not asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CannotAsk {
    /// It is no address, or one that may not be asked.
    #[error(transparent)]
    Endpoint(#[from] BadEndpoint),
    /// This user may name none.
    #[error("only the server's own VLM may be asked")]
    NoOwn,
}

/// Who can name an `api_base` at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Askers {
    /// Only people at this machine, who can ask everything without us.
    ThisMachine,
    /// Others too.
    Anybody,
}

impl Askers {
    /// For a server that listens on `host`. Listening on loopback tells nothing of people who
    /// sign in, or who come through a proxy.
    pub fn of(host: IpAddr, sign_in: bool, behind_proxy: bool) -> Self {
        if host.to_canonical().is_loopback() && !sign_in && !behind_proxy {
            Self::ThisMachine
        } else {
            Self::Anybody
        }
    }
}

impl OwnEndpoints {
    /// For these people, with what the operator allows beside public addresses.
    pub fn new(askers: Askers, allowed: &[Allowed]) -> Self {
        let reach = match askers {
            Askers::ThisMachine => Reach::Anything,
            Askers::Anybody => Reach::Public(allowed.to_vec()),
        };
        Self { reach: Arc::new(reach), known: Arc::default() }
    }

    /// This server is one that the operator named or that runs on this host.
    #[must_use]
    pub fn knowing(self, server: &Endpoint) -> Self {
        self.lock().own.insert(server.base().to_owned(), server.authority().cloned());
        self
    }

    /// These services were found on this host, and are offered to everybody.
    pub fn found(&self, found: &[discover::Found]) {
        let bases = found.iter().filter_map(|found| Endpoint::new(found.service.url, None).ok());
        // At most as many as there are kinds of service.
        self.lock().found.extend(bases.map(|endpoint| endpoint.base().to_owned()));
    }

    /// Whether the server asks this address itself.
    pub fn knows(&self, endpoint: &Endpoint) -> bool {
        let known = self.lock();
        known.own.contains_key(endpoint.base()) || known.found.contains(endpoint.base())
    }

    /// The endpoint that a client names, which may have a key of its own. `may_bring_own` is
    /// whether this user may name any that the server does not ask itself.
    ///
    /// # Errors
    /// When it is no address, or one that may not be asked.
    pub fn endpoint(
        &self,
        base: &str,
        key: Option<ApiKey>,
        may_bring_own: bool,
    ) -> Result<Endpoint, CannotAsk> {
        let endpoint = Endpoint::new(base, key)?;
        if !may_bring_own {
            // By another name, or with another key, it could be asked for more than is allowed.
            let is_own = self.lock().own.contains_key(endpoint.base()) && !endpoint.has_key();
            return if is_own { Ok(endpoint) } else { Err(CannotAsk::NoOwn) };
        }
        if self.knows(&endpoint) {
            // Whose key it is makes no other server of it.
            let authority = self.lock().own.get(endpoint.base()).cloned().flatten();
            return Ok(endpoint.with_authority(authority));
        }
        let key = endpoint.key().cloned();
        Ok(Endpoint::foreign(endpoint.base(), key, Arc::clone(&self.reach))?)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSIDE: &str = "http://10.0.0.7:8000/v1";

    fn inside() -> Endpoint {
        Endpoint::new(INSIDE, None).unwrap()
    }

    fn anybody(allowed: &[&str]) -> OwnEndpoints {
        let allowed: Vec<_> = allowed.iter().map(|text| text.parse().unwrap()).collect();
        OwnEndpoints::new(Askers::Anybody, &allowed)
    }

    /// Whether it is forbidden, or else no address.
    fn forbidden(own: &OwnEndpoints, base: &str) -> Option<bool> {
        own.endpoint(base, None, true)
            .err()
            .map(|error| matches!(error, CannotAsk::Endpoint(BadEndpoint::Forbidden(_))))
    }

    #[test]
    fn only_people_at_the_machine_may_ask_everything() {
        let of = |host: &str, sign_in, proxy| Askers::of(host.parse().unwrap(), sign_in, proxy);
        assert_eq!(of("127.0.0.1", false, false), Askers::ThisMachine);
        assert_eq!(of("::1", false, false), Askers::ThisMachine);
        for (host, sign_in, proxy) in [
            ("127.0.0.1", true, false),
            ("127.0.0.1", false, true),
            ("0.0.0.0", false, false),
            ("192.168.0.1", false, false),
        ] {
            assert_eq!(of(host, sign_in, proxy), Askers::Anybody, "{host}");
        }
        assert_eq!(forbidden(&OwnEndpoints::new(Askers::ThisMachine, &[]), INSIDE), None);
        assert_eq!(forbidden(&anybody(&[]), INSIDE), Some(true));
    }

    #[test]
    fn what_is_allowed_or_known_is_asked() {
        assert_eq!(forbidden(&anybody(&["10.0.0.0/8"]), INSIDE), None);
        let known = anybody(&[]).knowing(&inside());
        assert_eq!(forbidden(&known, &format!("{INSIDE}/")), None);
        for other in
            ["http://10.0.0.7:8001/v1", "http://10.0.0.7:8000/admin", "https://10.0.0.7:8000/v1"]
        {
            assert_eq!(forbidden(&known, other), Some(true), "{other}");
        }
        assert_eq!(forbidden(&known, "file:///etc/passwd"), Some(false));
    }

    #[test]
    fn a_key_of_ones_own_is_shown_to_a_server_that_its_authority_vouches_for() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["a".to_owned()]).unwrap();
        std::fs::write(file.path(), made.cert.pem()).unwrap();
        let authority = Some(Arc::new(Authority::read(file.path()).unwrap()));
        let own = inside().with_authority(authority.clone());
        let known = anybody(&["10.0.0.0/8"]).knowing(&own);
        let at = |base| known.endpoint(base, ApiKey::new("sk-mine"), true).unwrap();
        assert_eq!(at(INSIDE).authority(), authority.as_ref());
        assert_eq!(at("http://10.0.0.8:8000/v1").authority(), None);
    }

    #[test]
    fn who_may_bring_none_has_the_servers_own() {
        let known = OwnEndpoints::new(Askers::ThisMachine, &[]).knowing(&inside());
        assert!(known.endpoint(INSIDE, None, false).is_ok());
        let error = known.endpoint("https://api.example/v1", None, false).unwrap_err();
        assert!(matches!(error, CannotAsk::NoOwn), "{error}");
    }
}
