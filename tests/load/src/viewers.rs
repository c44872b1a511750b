//! Several viewers at once.

use futures_util::future::{join_all, try_join_all};

use crate::{
    Failure, Tool,
    viewer::{Browser, Heard, Viewer, Wish},
};

#[derive(Default)]
pub(crate) struct Viewers(Vec<Viewer>);

impl Viewers {
    /// So many sessions of one person.
    pub(crate) async fn of_one(
        tool: &Tool,
        server: &str,
        wish: &Wish,
        count: usize,
    ) -> Result<Self, Failure> {
        let browser = Browser::visit(tool, server).await?;
        let viewers = (0..count).map(|_| Viewer::connect(&browser, &tool.video, wish));
        Ok(Self(try_join_all(viewers).await?))
    }

    /// So many people with a session each.
    pub(crate) async fn of_many(
        tool: &Tool,
        server: &str,
        wish: &Wish,
        count: usize,
    ) -> Result<Self, Failure> {
        let viewers = (0..count).map(|_| async {
            let browser = Browser::visit(tool, server).await?;
            Viewer::connect(&browser, &tool.video, wish).await
        });
        Ok(Self(try_join_all(viewers).await?))
    }

    pub(crate) fn add(&mut self, viewer: Viewer) {
        self.0.push(viewer);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// What was heard so far does not count.
    pub(crate) fn forget_answers(&mut self) {
        drop(self.take_answers());
    }

    /// The answers that came meanwhile, of each.
    pub(crate) fn take_answers(&mut self) -> Vec<Vec<Heard>> {
        self.0.iter_mut().map(Viewer::take_answers).collect()
    }

    /// How many errors all of them were told.
    pub(crate) fn errors(&self) -> usize {
        self.0.iter().map(|viewer| viewer.trouble().0).sum()
    }

    pub(crate) async fn hang_up(self) {
        join_all(self.0.into_iter().map(Viewer::hang_up)).await;
    }
}

/// The ages of those answers whose picture could be read, in milliseconds.
pub(crate) fn ages_ms<'a>(heard: impl IntoIterator<Item = &'a Heard>) -> Vec<f64> {
    let ages = heard.into_iter().filter_map(|heard| heard.age);
    ages.map(|age| age.as_secs_f64() * 1000.0).collect()
}
