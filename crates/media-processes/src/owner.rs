use std::sync::Arc;

/// Whose a connection is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    /// The user: who signed in, or else a browser. All connections of one user share a process while
    /// it has room.
    pub user: Arc<str>,
    /// Where somebody is who did not sign in: there they can be as many users as they like.
    pub address: Option<Arc<str>>,
}

impl Owner {
    /// Somebody who signed in.
    pub fn signed_in(user: &str) -> Self {
        Self { user: user.into(), address: None }
    }

    /// Somebody who did not. `address` is however much of it belongs to one host or site, with
    /// something in it that no name of a user has.
    pub fn at_address(user: &str, address: &str) -> Self {
        Self { user: user.into(), address: Some(address.into()) }
    }
}
