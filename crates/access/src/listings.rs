//! How many lists of models are read at once: each may be megabytes long, and come slowly.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, Weak},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{limits::Party, lock::lock};

/// Lists at once.
const PLACES: usize = 16;
/// Of which one party has so many, or its slow servers would keep everybody else waiting.
const PLACES_EACH: usize = 2;

/// The places that there are. Cheap to clone; a clone has the same.
#[derive(Debug, Clone)]
pub struct Listings {
    all: Arc<Semaphore>,
    /// Of those who have a place or wait for one. A leaf lock, held for a look-up.
    of_each: Arc<Mutex<HashMap<Party, Weak<Semaphore>>>>,
}

/// Given back when dropped.
#[derive(Debug)]
pub struct ListingPlace {
    _of_all: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
}

impl Default for Listings {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(PLACES)), of_each: Arc::default() }
    }
}

impl Listings {
    /// A place, as soon as there is one. Whoever waits for one of their own keeps none of
    /// everybody's. `None` never comes, as no semaphore is closed.
    pub async fn place(&self, party: Party) -> Option<ListingPlace> {
        let own = self.of(party).acquire_owned().await.ok()?;
        let of_all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some(ListingPlace { _of_all: of_all, _own: own })
    }

    fn of(&self, party: Party) -> Arc<Semaphore> {
        let mut of_each = lock(&self.of_each);
        if let Some(own) = of_each.get(&party).and_then(Weak::upgrade) {
            return own;
        }
        of_each.retain(|_, own| own.strong_count() > 0);
        let own = Arc::new(Semaphore::new(PLACES_EACH));
        of_each.insert(party, Arc::downgrade(&own));
        own
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn party(name: &str) -> Party {
        Party::User(name.into())
    }

    fn now(listings: &Listings, name: &str) -> Option<ListingPlace> {
        listings.place(party(name)).now_or_never().flatten()
    }

    #[tokio::test]
    async fn one_party_has_two_places_and_waits_for_a_third_without_keeping_one_from_others() {
        let listings = Listings::default();
        let first = now(&listings, "eve").unwrap();
        let _second = now(&listings, "eve").unwrap();
        let mut waiting: Vec<_> =
            (0..PLACES).map(|_| Box::pin(listings.place(party("eve")))).collect();
        for third in &mut waiting {
            assert!(third.as_mut().now_or_never().is_none());
        }
        let others: Vec<_> = (2..PLACES).map(|n| now(&listings, &n.to_string()).unwrap()).collect();
        assert!(now(&listings, "one too many").is_none());
        drop((first, others));
        waiting.swap_remove(0).await.unwrap();
    }

    #[tokio::test]
    async fn those_who_have_no_place_are_forgotten() {
        let listings = Listings::default();
        let kept = now(&listings, "ada").unwrap();
        for n in 0..30 {
            now(&listings, &n.to_string()).unwrap();
        }
        assert!(listings.of_each.lock().unwrap().len() <= 2);
        let _second = now(&listings, "ada").unwrap();
        assert!(now(&listings, "ada").is_none());
        drop(kept);
        assert!(now(&listings, "ada").is_some());
    }
}
