use std::sync::Arc;

/// Whose a connection is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner {
    /// Who is placed: all connections of one user share a process while it has room.
    pub user: Arc<str>,
    /// Who is blamed when a process ends badly: the user who signed in, or else the address, as
    /// those there can be as many users as they like.
    pub blamed: Arc<str>,
}

impl Owner {
    /// Somebody who signed in.
    pub fn signed_in(user: &str) -> Self {
        let user: Arc<str> = user.into();
        Self { blamed: Arc::clone(&user), user }
    }

    /// Somebody who did not. `address` is however much of it belongs to one host or site, with
    /// something in it that no name of a user has.
    pub fn at_address(user: &str, address: &str) -> Self {
        Self { user: user.into(), blamed: address.into() }
    }
}
